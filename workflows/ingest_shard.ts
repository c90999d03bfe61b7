/**
 * The actor `ingestShard(shard)`: brings one shard of the intake into its log, leg after leg, for ever.
 *
 * Its id is `ingest-shard-<shard>`. A leg is one activity of about a minute that pulls, signs, stores and
 * acknowledges; the actor keeps nothing but the totals and the last receipt, and continues as new after
 * `legsPerRun` legs. `pause` and `drain` end the running leg at its next batch; a failure that no retry
 * can mend halts the actor until `resume`.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { IngestActivities } from '../activities/ingest_leg.ts';
import type { LegReceipt } from '../activities/leg_receipt.ts';
import { addIngest, type IngestCounts, NO_INGEST } from '../meters/ingest_counts.ts';
import { INGEST_LEG_OPTIONS, INGEST_LEG_SECONDS, INGEST_LEGS_PER_RUN } from '../temporal.config.ts';

/**
 * - `running`: legs follow each other; - `draining`: until the intake is empty, then paused;
 * - `paused`: by an operator; - `halted`: by a failure that no retry can mend.
 */
export type IngestMode = 'running' | 'draining' | 'paused' | 'halted';

export interface IngestTotals extends IngestCounts {
  legs: number;
}

/** What the actor is given, and what it hands to its next run. */
export interface IngestShardState {
  shard: number;
  mode?: IngestMode;
  reason?: string | null;
  totals?: IngestTotals;
  last_receipt?: LegReceipt | null;
  leg_seconds?: number;
  legs_per_run?: number;
}

export interface IngestStatus {
  shard: number;
  mode: IngestMode;
  /** Who paused it and why, or the failure that halted it. */
  reason: string | null;
  leg_running: boolean;
  totals: IngestTotals;
  last_receipt: LegReceipt | null;
}

export const pauseSignal = defineSignal<[string?]>('pause');
export const resumeSignal = defineSignal('resume');
export const drainSignal = defineSignal('drain');
export const statusQuery = defineQuery<IngestStatus>('status');

const { ingestLeg } = proxyActivities<IngestActivities>({
  ...INGEST_LEG_OPTIONS,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

export async function ingestShard(input: IngestShardState): Promise<void> {
  const legSeconds = input.leg_seconds ?? INGEST_LEG_SECONDS;
  const legsPerRun = input.legs_per_run ?? INGEST_LEGS_PER_RUN;
  let mode: IngestMode = input.mode ?? 'running';
  let reason = input.reason ?? null;
  let totals = input.totals ?? { legs: 0, ...NO_INGEST };
  let lastReceipt = input.last_receipt ?? null;
  let leg: CancellationScope | null = null;

  setHandler(pauseSignal, (why) => {
    if (mode === 'halted') return;
    mode = 'paused';
    reason = why ?? null;
    leg?.cancel();
  });
  setHandler(resumeSignal, () => {
    mode = 'running';
    reason = null;
  });
  setHandler(drainSignal, () => {
    if (mode !== 'running') return;
    mode = 'draining';
    leg?.cancel();
  });
  setHandler(statusQuery, () => ({
    shard: input.shard,
    mode,
    reason,
    leg_running: leg !== null,
    totals,
    last_receipt: lastReceipt,
  }));

  for (let legs = 0; legs < legsPerRun && !workflowInfo().continueAsNewSuggested; legs += 1) {
    await condition(() => mode === 'running' || mode === 'draining');
    const drain = mode === 'draining';
    leg = new CancellationScope({ cancellable: true });
    try {
      lastReceipt = await leg.run(() =>
        ingestLeg({ shard: input.shard, seconds: legSeconds, drain })
      );
      totals = { legs: totals.legs + 1, ...addIngest(totals, lastReceipt) };
      if (drain && lastReceipt.drained && mode === 'draining') {
        mode = 'paused';
        reason = 'drained';
      }
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      if (!isCancellation(error)) {
        mode = 'halted';
        reason = failureSentence(error);
      }
    } finally {
      leg = null;
    }
  }
  await continueAsNew<typeof ingestShard>({
    shard: input.shard,
    mode,
    reason,
    totals,
    last_receipt: lastReceipt,
    leg_seconds: legSeconds,
    legs_per_run: legsPerRun,
  });
}

function failureSentence(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 500);
}
