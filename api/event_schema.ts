import { tracked, type TrackedEnvelope } from '@trpc/server';
import { z } from 'zod';
import type { RevisionEvent, SealEvent, StatementEvent } from '../db/log_events.ts';
import { countOutput, meterTypeOutput, timeOutput } from './wire_schema.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';

const placeOutput = {
  /** Place of the entry that vouches for it: `receipts.entry` proves it. */
  log_id: countOutput,
  leaf_index: countOutput,
};

/** What a subscription answers: each event with the cursor behind it, without end. */
export function eventsOutput<Event extends z.ZodType>(event: Event) {
  return z.custom<AsyncIterable<TrackedEnvelope<z.output<Event>>, void>>(
    (value) => typeof value === 'object' && value !== null && Symbol.asyncIterator in value,
  ).transform(async function* (events) {
    for await (const [id, data] of events) yield tracked(id, event.parse(data));
  });
}

/** An hour of one log was closed. */
export const sealedHourOutput = z.object({
  /** `[start, end)`. */
  start: timeOutput,
  end: timeOutput,
  /** Windows in it, of a project its own. */
  windows: countOutput,
  /** RFC 6962 root over all of its windows, 64 hexadecimal digits. */
  root: z.string(),
  sealed_at: timeOutput,
  ...placeOutput,
});

/** Sealed windows of one project have new revisions. */
export const revisedUsageOutput = z.object({
  project_id: z.string().nullable(),
  revised_at: timeOutput,
  reason: z.string(),
  changes: z.array(z.object({
    /** Key of the series: `windows.get` has the window's revisions. */
    series: z.string(),
    meter: z.string(),
    type: meterTypeOutput,
    resource_id: z.string(),
    /** First instant of the hour. */
    start: timeOutput,
    revision: countOutput,
    /** Null if the hour had no window of the series. */
    quantity_before: z.string().nullable(),
    quantity_after: z.string(),
    unit: z.string(),
  })),
  ...placeOutput,
});

/** A statement or an amendment is final. */
export const finalStatementOutput = z.object({
  project_id: z.string(),
  period: z.string(),
  /** 0 is the statement, the others are its amendments. */
  number: countOutput,
  start: timeOutput,
  end: timeOutput,
  zone: z.string(),
  /** SHA-256 of its document, 64 hexadecimal digits. */
  digest: z.string(),
  lines: countOutput,
  closed_at: timeOutput,
  ...placeOutput,
});

export function wireSealedHour(event: SealEvent): z.output<typeof sealedHourOutput> {
  const { start, windows, root, sealedAt, logId, leaf } = event;
  const end = formatMicros(toMicros(start) + HOUR_MICROS);
  return { start, end, windows, root, sealed_at: sealedAt, log_id: logId, leaf_index: leaf };
}

export function wireRevisedUsage(event: RevisionEvent): z.output<typeof revisedUsageOutput> {
  return {
    project_id: event.projectId,
    revised_at: event.revisedAt,
    reason: event.reason,
    changes: event.changes.map((change) => ({
      series: change.series,
      meter: change.meter,
      type: change.type,
      resource_id: change.resourceId,
      start: change.start,
      revision: change.revision,
      quantity_before: change.quantityBefore,
      quantity_after: change.quantityAfter,
      unit: change.unit,
    })),
    log_id: event.logId,
    leaf_index: event.leaf,
  };
}

export function wireFinalStatement(event: StatementEvent): z.output<typeof finalStatementOutput> {
  const { projectId, closedAt, logId, leaf, ...rest } = event;
  return { ...rest, project_id: projectId, closed_at: closedAt, log_id: logId, leaf_index: leaf };
}

export type SealedHour = z.output<typeof sealedHourOutput>;
export type RevisedUsage = z.output<typeof revisedUsageOutput>;
export type FinalStatement = z.output<typeof finalStatementOutput>;
