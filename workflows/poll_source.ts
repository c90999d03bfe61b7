/**
 * The actor `pollSource`: one run is one group's share of one cycle, begun by the Schedule
 * `poll-<cloud>-<source>-<group>`. It has no messages and no state: the cycle is named by the nominal time
 * of its Schedule, and everything it does twice is done once. What cannot be polled in the time of the
 * cycle is put on record as missing.
 */
import {
  ActivityFailure,
  isCancellation,
  proxyActivities,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { PollAccountActivities, PollCheckReceipt } from '../activities/poll_account.ts';
import type { PollActivities } from '../activities/poll_cycle.ts';
import type { CycleReceipt } from '../collectors/polling/run_cycle.ts';
import type { PollHead } from '../meters/poll_message.ts';
import type { GapReason } from '../meters/poll_gap.ts';
import { formatMillis } from '../meters/timestamp.ts';
import {
  POLL_ACCOUNT_OPTIONS,
  POLL_CYCLE_OPTIONS,
  POLL_SHARE,
  pollHeartbeatSeconds,
} from '../temporal.config.ts';

export interface PollSourceInput {
  cloud: string;
  source: string;
  group: number;
  interval_seconds: number;
  /** Canonical UTC timestamp, for a run that no Schedule began. */
  cycle?: string;
}

/** Null if the cycle could not be polled and is on record as missing. */
export type PollSourceResult = CycleReceipt | null;

const { recordMissed, checkCycles } = proxyActivities<PollAccountActivities>(POLL_ACCOUNT_OPTIONS);

export async function pollSource(input: PollSourceInput): Promise<PollSourceResult> {
  const { cloud, source, group } = input;
  const seconds = Math.floor(input.interval_seconds * POLL_SHARE.polling);
  const head: PollHead = { cloud, source, group, cycle: input.cycle ?? nominalTime() };
  const { pollCycle } = proxyActivities<PollActivities>({
    ...POLL_CYCLE_OPTIONS,
    scheduleToCloseTimeout: `${seconds} seconds`,
    heartbeatTimeout: `${pollHeartbeatSeconds(seconds)} seconds`,
  });
  try {
    return await pollCycle({ ...head, from_history: false, seconds });
  } catch (error) {
    if (isCancellation(error)) throw error;
    await recordMissed({ ...head, ...whyMissed(error) });
    return null;
  }
}

/** The actor `poll-check`, begun by a Schedule: accounts for the cycles that nobody has begun. */
export async function checkPolls(): Promise<PollCheckReceipt> {
  return await checkCycles();
}

/** What the Schedule calls the run; the time at which it really began is something else. */
function nominalTime(): string {
  const { searchAttributes, startTime } = workflowInfo();
  const [scheduled] = searchAttributes['TemporalScheduledStartTime'] ?? [];
  return formatMillis(scheduled instanceof Date ? scheduled.getTime() : startTime.getTime());
}

function whyMissed(error: unknown): { reason: GapReason; detail: string } {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const detail = (cause instanceof Error ? cause.message : String(cause)).slice(0, 300);
  return { reason: cause instanceof TimeoutFailure ? 'worker_away' : 'pollster_failed', detail };
}
