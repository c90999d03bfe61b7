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

/** What a keeper of windows knew when it last looked. */
const watermarkOutput = z.object({
  size: countOutput,
  sealed_until: timeOutput.nullable(),
  ready_until: timeOutput.nullable(),
  late: countOutput,
  waiting_for: z.array(z.object({ reason: z.string(), detail: z.string() })),
});

const keeperCounts = {
  hours: countOutput,
  windows: countOutput,
  late_samples: countOutput,
  revised_windows: countOutput,
};

const keeperOutput = z.object({
  /** Hours are being sealed, or windows revised. */
  sealing: z.boolean(),
  totals: z.object({ rounds: countOutput, ...keeperCounts }),
  watermark: watermarkOutput.nullable(),
  /** The last round that had something to do. */
  last_run: z.object({
    workflow_id: z.string(),
    run_id: z.string(),
    sealed_until: timeOutput,
    ...keeperCounts,
    /** Digest of its exported history; null if it could not be exported. */
    history: z.string().nullable(),
  }).nullable(),
});

export const ACTOR_KINDS = ['ingest', 'windows'] as const;
export type ActorKind = (typeof ACTOR_KINDS)[number];

export const actorOutput = z.object({
  actor_id: z.string(),
  /** `ingest` brings the intake into the log, `windows` seals its hours. */
  kind: z.enum(ACTOR_KINDS),
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
  /** Of a keeper of windows, which has no legs; null of the others, and if no worker answers. */
  keeper: keeperOutput.nullable(),
});

export type Actor = z.output<typeof actorOutput>;
