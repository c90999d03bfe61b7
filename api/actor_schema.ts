import { z } from 'zod';
import { countOutput, timeOutput } from './wire_schema.ts';

/** `meters/ingest_counts.ts` on the wire. */
const countsOutput = z.object({
  batches: countOutput,
  messages: countOutput,
  samples: countOutput,
  duplicates: countOutput,
  conflicts: countOutput,
  unmatched: countOutput,
  without_volume: countOutput,
  quarantined: countOutput,
});

const totalsOutput = countsOutput.extend({ legs: countOutput });

const receiptOutput = countsOutput.extend({
  epoch: z.string(),
  first_leaf: countOutput,
  size: countOutput,
  root: z.string(),
  definitions: z.string(),
  definitions_fault: z.string().nullable(),
  pending: countOutput,
  drained: z.boolean(),
  started_at: timeOutput,
  ended_at: timeOutput,
});

export const actorOutput = z.object({
  actor_id: z.string(),
  shard: countOutput,
  /** Temporal's word: RUNNING, COMPLETED, FAILED …, or ABSENT if it was never started. */
  workflow_status: z.string(),
  /** Null if no worker answers for it at the moment. */
  mode: z.enum(['running', 'draining', 'paused', 'halted']).nullable(),
  /** Who paused it and why, or the failure that halted it. */
  reason: z.string().nullable(),
  leg_running: z.boolean().nullable(),
  run_id: z.string().nullable(),
  started_at: timeOutput.nullable(),
  history_events: countOutput.nullable(),
  totals: totalsOutput.nullable(),
  /** What the last leg came to. */
  last_receipt: receiptOutput.nullable(),
});

export type Actor = z.output<typeof actorOutput>;
