/**
 * The actor `windowKeeper(shard)`: closes the hours of one shard's log, for ever. Its id is
 * `window-keeper-<shard>`.
 *
 * Once in an interval, which is a setting of the worker, it reads the watermark. If hours are ready, or samples came for hours that are sealed,
 * a child `sealWindows` does what is to be done, a day of hours at most, and its history is exported. The
 * keeper holds totals and what it saw last, and continues as new after `rounds_per_run` rounds. Paused, it
 * begins no round; a failure that no retry can mend halts it until `resume`.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { HistoryActivities } from '../activities/export_history.ts';
import type { Watermark } from '../activities/read_watermark.ts';
import type { WindowActivities } from '../activities/window_activities.ts';
import { formatMicros, formatMillis, toMicros } from '../meters/timestamp.ts';
import {
  HISTORY_OPTIONS,
  KEEPER_EVERY_SECONDS,
  KEEPER_ROUNDS_PER_RUN,
  MAX_HOURS_PER_SEAL,
  sealWindowsId,
  WATERMARK_OPTIONS,
} from '../temporal.config.ts';
import { isAlreadyStarted } from './already_started.ts';
import type { sealWindows, SealWindowsInput, SealWindowsOutcome } from './seal_windows.ts';

/** - `paused`: by an operator; - `halted`: by a failure that no retry can mend. */
export type KeeperMode = 'running' | 'paused' | 'halted';

export interface KeeperTotals {
  rounds: number;
  hours: number;
  windows: number;
  late_samples: number;
  revised_windows: number;
}

/** The last round that had something to do. */
export interface KeeperRun {
  workflow_id: string;
  run_id: string;
  /** First instant of the first hour that stays open. */
  sealed_until: string;
  hours: number;
  windows: number;
  late_samples: number;
  revised_windows: number;
  /** Digest of its exported history; null if it could not be exported. */
  history: string | null;
}

/** What the actor is given, and what it hands to its next run. */
export interface WindowKeeperState {
  shard: number;
  mode?: KeeperMode;
  reason?: string | null;
  totals?: KeeperTotals;
  watermark?: Watermark | null;
  last_run?: KeeperRun | null;
  /** In place of what the watermark says. */
  every_seconds?: number;
  rounds_per_run?: number;
}

export interface KeeperStatus {
  shard: number;
  mode: KeeperMode;
  /** Who paused it and why, or the failure that halted it. */
  reason: string | null;
  /** A child is at work. */
  sealing: boolean;
  totals: KeeperTotals;
  watermark: Watermark | null;
  last_run: KeeperRun | null;
}

export const pauseSignal = defineSignal<[string?]>('pause');
export const resumeSignal = defineSignal('resume');
/** Looks at once, rather than at the end of the interval. */
export const lookSignal = defineSignal('look');
export const statusQuery = defineQuery<KeeperStatus>('status');

const { readWatermark } = proxyActivities<WindowActivities>(WATERMARK_OPTIONS);
const { exportHistory } = proxyActivities<HistoryActivities>(HISTORY_OPTIONS);

const HOUR_MICROS = 3_600_000_000n;
const NO_TOTALS: KeeperTotals = {
  rounds: 0,
  hours: 0,
  windows: 0,
  late_samples: 0,
  revised_windows: 0,
};

export async function windowKeeper(input: WindowKeeperState): Promise<void> {
  const { shard } = input;
  const roundsPerRun = input.rounds_per_run ?? KEEPER_ROUNDS_PER_RUN;
  let mode: KeeperMode = input.mode ?? 'running';
  let reason = input.reason ?? null;
  let totals = input.totals ?? NO_TOTALS;
  let watermark = input.watermark ?? null;
  let lastRun = input.last_run ?? null;
  let sealing = false;
  let isAsked = false;

  setHandler(pauseSignal, (why) => {
    if (mode === 'halted') return;
    mode = 'paused';
    reason = why ?? null;
  });
  setHandler(resumeSignal, () => {
    mode = 'running';
    reason = null;
  });
  setHandler(lookSignal, () => {
    isAsked = true;
  });
  setHandler(statusQuery, () => ({
    shard,
    mode,
    reason,
    sealing,
    totals,
    watermark,
    last_run: lastRun,
  }));

  for (let rounds = 0; rounds < roundsPerRun && !workflowInfo().continueAsNewSuggested;) {
    await condition(() => mode === 'running');
    isAsked = false;
    let isAtWork = false;
    try {
      watermark = await readWatermark({ shard, now: formatMillis(Date.now()) });
      const task = taskOf(watermark);
      if (task !== null) {
        sealing = true;
        lastRun = await runTask(task);
        totals = added(totals, lastRun);
        isAtWork = lastRun.hours === MAX_HOURS_PER_SEAL;
      }
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      const failure = failureOf(error);
      // Somebody else is, or was, at it: the next look says how far things are.
      if (failure.type !== 'seal_out_of_step' && !isAlreadyStarted(error)) {
        mode = 'halted';
        reason = failure.message;
      }
    } finally {
      sealing = false;
    }
    rounds += 1;
    totals = { ...totals, rounds: totals.rounds + 1 };
    const seconds = input.every_seconds ?? watermark?.look_again_seconds ?? KEEPER_EVERY_SECONDS;
    // There is more to seal than one child may: on with it.
    if (!isAtWork) await condition(() => isAsked || mode !== 'running', seconds * 1_000);
  }
  await continueAsNew<typeof windowKeeper>({
    shard,
    mode,
    reason,
    totals,
    watermark,
    last_run: lastRun,
    ...input.every_seconds === undefined ? {} : { every_seconds: input.every_seconds },
    rounds_per_run: roundsPerRun,
  });
}

/** What is to be done by a watermark, null if there is nothing. */
function taskOf(
  { shard, size, sealed_until, ready_until, late }: Watermark,
): SealWindowsInput | null {
  if (sealed_until === null || ready_until === null) return null;
  const from = toMicros(sealed_until);
  const most = from + BigInt(MAX_HOURS_PER_SEAL) * HOUR_MICROS;
  const ready = toMicros(ready_until);
  if (ready <= from && late === 0) return null;
  const to = ready <= from ? from : ready < most ? ready : most;
  return { shard, from: sealed_until, to: formatMicros(to), size };
}

async function runTask(task: SealWindowsInput): Promise<KeeperRun> {
  const child = await startChild<typeof sealWindows>('sealWindows', {
    workflowId: sealWindowsId(task),
    args: [task],
  });
  const outcome = await child.result();
  return {
    workflow_id: child.workflowId,
    run_id: child.firstExecutionRunId,
    sealed_until: task.to,
    ...countsOf(outcome),
    history: await exported(child.workflowId, child.firstExecutionRunId, task.shard),
  };
}

/** The windows stand without it: an audit will miss the history, and say so. */
async function exported(workflowId: string, runId: string, shard: number): Promise<string | null> {
  try {
    const receipt = await exportHistory({ workflow_id: workflowId, run_id: runId, log_id: shard });
    return receipt.digest;
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    return null;
  }
}

function countsOf({ revised, sealed }: SealWindowsOutcome) {
  return {
    hours: sealed?.hours ?? 0,
    windows: sealed?.windows ?? 0,
    late_samples: revised.samples,
    revised_windows: revised.windows,
  };
}

function added(totals: KeeperTotals, run: KeeperRun): KeeperTotals {
  return {
    rounds: totals.rounds,
    hours: totals.hours + run.hours,
    windows: totals.windows + run.windows,
    late_samples: totals.late_samples + run.late_samples,
    revised_windows: totals.revised_windows + run.revised_windows,
  };
}

function failureOf(error: unknown): { type: string | null; message: string } {
  let cause = error;
  while (cause instanceof ChildWorkflowFailure || cause instanceof ActivityFailure) {
    cause = cause.cause;
  }
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, 500);
  return { type: cause instanceof ApplicationFailure ? cause.type ?? null : null, message };
}
