import { z } from 'zod';
import { listEventCounts } from '../../db/event_counts.ts';
import { explainOrigin, OUTCOME_NAMES } from '../../db/origins.ts';
import type { StoredSample } from '../../db/sample_rows.ts';
import { MAX_EXPLAINED_SAMPLES } from '../../db/sample_usage.ts';
import { apiError } from '../errors.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import {
  bytesOf,
  MAX_PUBLISHED_MESSAGES,
  messageInput,
  publish,
  publishOutput,
} from '../publish.ts';
import { quarantinedOutput, wireQuarantined } from '../quarantine_schema.ts';
import { scopeOf } from '../tenancy.ts';
import { operatorProcedure, router, tenantProcedure } from '../trpc.ts';
import { explainUsage, sampleUsageOutput, type WireSampleUsage } from '../usage_explained.ts';
import {
  countOutput,
  idInput,
  meterTypeOutput,
  nameInput,
  nextCursorOutput,
  pageInput,
  timeOutput,
} from '../wire_schema.ts';

const storyOutput = z.object({
  message_id: z.string(),
  /** One for each source that has a notification of this id. */
  understood: z.array(z.object({
    source: z.string(),
    event_type: z.string().nullable(),
    outcome: z.enum(OUTCOME_NAMES),
    received_at: timeOutput,
    /** How often it came again; that changed nothing. */
    redelivered: countOutput,
    samples: z.array(z.object({
      id: z.string(),
      meter: z.string(),
      type: meterTypeOutput,
      unit: z.string(),
      volume: z.string(),
      resource_id: z.string(),
      project_id: z.string().nullable(),
      timestamp: timeOutput,
      log_id: countOutput,
      leaf_index: countOutput,
      /** Where it counts, or why nowhere yet; null beyond the first 100 of a notification. */
      usage: sampleUsageOutput.nullable(),
    })),
  })),
  /** What was not understood under this id, and why. For operators. */
  quarantined: z.array(quarantinedOutput),
});

/** What happened to single notifications, and a way in for them. */
export const notificationsRouter = router({
  /**
   * What became of the notification of a `message_id` (or of what stands for one: `sha256:…` of the
   * content, `source#id` of a CloudEvent). A project is told of its own samples alone.
   */
  explain: tenantProcedure
    .input(z.object({ message_id: idInput, source: nameInput.optional() }))
    .output(storyOutput)
    .query(async ({ ctx: { deps, principal }, input: { message_id, source } }) => {
      const story = await explainOrigin(
        deps.db.pool,
        scopeOf(principal),
        message_id,
        source === undefined ? {} : { sources: [source] },
      );
      if (story.understood.length + story.quarantined.length === 0) {
        throw apiError('not_found', 'Cannot find a notification of this id');
      }
      const usages = new Map<StoredSample, WireSampleUsage>();
      for (const { samples } of story.understood) {
        const first = samples.slice(0, MAX_EXPLAINED_SAMPLES);
        const found = await explainUsage(deps.db.pool, first);
        first.forEach((sample, index) => {
          const usage = found[index];
          if (usage !== undefined) usages.set(sample, usage);
        });
      }
      return {
        message_id,
        understood: story.understood.map((one) => ({
          source: one.source,
          event_type: one.eventType,
          outcome: one.outcome,
          received_at: one.receivedAt,
          redelivered: one.redelivered,
          samples: one.samples.map((stored) => ({
            ...wireStorySample(stored),
            usage: usages.get(stored) ?? null,
          })),
        })),
        quarantined: story.quarantined.map(wireQuarantined),
      };
    }),

  /** How many notifications came of each type, and how many of them no definition met. */
  eventTypes: operatorProcedure
    .input(z.object(pageInput))
    .output(z.object({
      event_types: z.array(z.object({
        event_type: z.string(),
        matched: countOutput,
        unmatched: countOutput,
        /** Readings left out because their volume was null or absent. */
        without_volume: countOutput,
        samples: countOutput,
        last_seen: timeOutput,
      })),
      next_cursor: nextCursorOutput,
    }))
    .query(async ({ ctx: { deps }, input: { limit, cursor } }) => {
      const query = { procedure: 'notifications.eventTypes', filters: {} };
      const request = { limit, cursor: openCursor(query, cursor) };
      const page = await listEventCounts(deps.db.pool, request);
      return {
        event_types: page.rows.map((row) => ({
          event_type: row.eventType,
          matched: row.matched,
          unmatched: row.unmatched,
          without_volume: row.withoutVolume,
          samples: row.samples,
          last_seen: row.lastSeen,
        })),
        next_cursor: bindCursor(query, page.nextCursor),
      };
    }),

  /**
   * Puts messages into the intake as they are, understood or not: what is not ends in the quarantine.
   * Answers when JetStream has stored them, and for each whether it has. Sending one again changes
   * nothing.
   */
  publish: operatorProcedure
    .input(z.object({ messages: z.array(messageInput).min(1).max(MAX_PUBLISHED_MESSAGES) }))
    .output(publishOutput)
    .mutation(async ({ ctx: { deps }, input }) => {
      const messages = input.messages.map((message) => ({
        bytes: bytesOf(message),
        via: 'send' as const,
      }));
      return await publish(deps.intake, messages);
    }),
});

function wireStorySample({ sample, logId, leafIndex }: StoredSample) {
  return {
    id: sample.id,
    meter: sample.meter,
    type: sample.type,
    unit: sample.unit,
    volume: sample.volume,
    resource_id: sample.resource_id,
    project_id: sample.project_id,
    timestamp: sample.timestamp,
    log_id: logId,
    leaf_index: leafIndex,
  };
}
