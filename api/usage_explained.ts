import { z } from 'zod';
import { resolveAsOf } from '../db/as_of.ts';
import type { Queryable } from '../db/client.ts';
import type { StoredSample } from '../db/sample_rows.ts';
import {
  endOfHour,
  type SampleUsage,
  USAGE_REASONS,
  usageOfSamples,
  type UsageReason,
} from '../db/sample_usage.ts';
import type { WindowSample } from '../db/window_samples.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { countOutput, timeOutput } from './wire_schema.ts';

/** Where a sample counts: in a window, and by it in lines of statements; or why it does not. */
export const sampleUsageOutput = z.object({
  /** Key of its series, and its hour `[start, end)`: `windows.get` and `windows.explain` take them. */
  series: z.string(),
  start: timeOutput,
  end: timeOutput,
  /** The versions of the hour's window; those that are older than the sample do not count it. */
  revisions: z.array(z.object({
    revision: countOutput,
    counts: z.boolean(),
    log_id: countOutput,
    leaf_index: countOutput,
  })),
  /** `statements.explainLine` leads back. */
  statement_lines: z.array(z.object({
    project_id: z.string(),
    period: z.string(),
    number: countOutput,
    line: countOutput,
  })),
  /** Null if a line of a statement has it. */
  reason: z.enum(USAGE_REASONS).nullable(),
  explanation: z.string(),
});

const EXPLANATIONS: Readonly<Record<UsageReason, string>> = {
  hour_open: 'Its hour is not sealed yet: usage has it, statements will when the period is closed',
  awaiting_revision: 'It came after its hour was sealed and waits for the next revision',
  no_project: 'It belongs to no project, whose statements could have it',
  no_statement: 'Its window has it; no statement of its project covers the hour yet',
  awaiting_amendment: 'A revision has it that is younger than the statements of its period',
  no_line: 'The statements of its period have no line for its meter',
};

export type WireSampleUsage = z.output<typeof sampleUsageOutput>;

/** Where each of some samples counts now, in their order. */
export async function explainUsage(
  db: Queryable,
  samples: readonly StoredSample[],
): Promise<WireSampleUsage[]> {
  const found = await usageOfSamples(db, samples, await resolveAsOf(db));
  return found.map(wireSampleUsage);
}

function wireSampleUsage(
  { series, start, revisions, lines, reason }: SampleUsage,
): WireSampleUsage {
  return {
    series,
    start,
    end: endOfHour(start),
    revisions: revisions.map(({ revision, counts, position }) => ({
      revision,
      counts,
      log_id: logOfPosition(position),
      leaf_index: leafOfPosition(position),
    })),
    statement_lines: lines.map(({ projectId, period, number, line }) => ({
      project_id: projectId,
      period,
      number,
      line,
    })),
    reason,
    explanation: reason === null ? 'Lines of statements have it' : EXPLANATIONS[reason],
  };
}

/** A sample that a window was computed from. */
export const windowSampleOutput = z.object({
  id: z.string(),
  timestamp: timeOutput,
  volume: z.string(),
  recorded_at: timeOutput,
  /** Its place in the log: `receipts.sample` proves it. */
  log_id: countOutput,
  leaf_index: countOutput,
  /** What it was made from: `notifications.explain` takes the id. */
  origin: z.object({
    kind: z.enum(['notification', 'poll']),
    id: z.string(),
    event_type: z.string().nullable(),
    received_at: timeOutput,
  }),
});

export function wireWindowSample(one: WindowSample): z.output<typeof windowSampleOutput> {
  const { sample, logId, leafIndex, origin, eventType, receivedAt } = one;
  return {
    id: sample.id,
    timestamp: sample.timestamp,
    volume: sample.volume,
    recorded_at: sample.recorded_at,
    log_id: logId,
    leaf_index: leafIndex,
    origin: {
      kind: eventType?.startsWith('poll.') === true ? 'poll' : 'notification',
      id: origin,
      event_type: eventType,
      received_at: receivedAt,
    },
  };
}
