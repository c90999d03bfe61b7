/** What is known to be missing although nobody has polled: cycles that failed, or never began. */
import { knownCycles, lastOutcomes } from '../db/poll_cycles.ts';
import {
  listPollSources,
  noteChecked,
  type PollSource,
  readPollSource,
  type ScheduleCounts,
} from '../db/poll_sources.ts';
import type { GapReason } from '../meters/poll_gap.ts';
import {
  joinPollMessage,
  type PollEnd,
  type PollGap,
  type PollHead,
  pollKey,
  type PollsterOutcome,
} from '../meters/poll_message.ts';
import { cyclesOf, pollScheduleId } from '../meters/poll_schedule.ts';
import { formatMillis, toMicros } from '../meters/timestamp.ts';
import type { PollAccountDeps, ScheduleState } from './poll_deps.ts';
import { headOf } from './poll_cycle.ts';
import { namedMeters } from './poll_source_spec.ts';

export interface MissedCycle extends PollHead {
  reason: GapReason;
  detail: string;
}

export interface PollCheckReceipt {
  sources: number;
  /** Cycles of which nothing, or no end, was heard. */
  missed: number;
}

export interface PollAccountActivities {
  /** Puts on record that a cycle was not polled, or not to its end. Idempotent. */
  recordMissed(cycle: MissedCycle): Promise<void>;
  /** Looks for cycles that should have been and were not, since the last look. Idempotent. */
  checkCycles(): Promise<PollCheckReceipt>;
}

/** How long after the end of its interval a cycle may be heard of: what is under way in the intake. */
const GRACE_MS = 60_000;
/** Cycles that one look goes through, a group: after a long absence several looks follow each other. */
const CYCLES_AT_ONCE = 1_000;

export function createPollAccountActivities(deps: PollAccountDeps): PollAccountActivities {
  return {
    recordMissed: (cycle) => publishMissed(deps, headOf(cycle), cycle),
    checkCycles: async () => {
      const sources = await listPollSources(deps.pool);
      let missed = 0;
      for (const source of sources) missed += await checkSource(deps, source);
      return { sources: sources.length, missed };
    },
  };
}

async function checkSource(deps: PollAccountDeps, source: PollSource): Promise<number> {
  const from = source.checkedUntil;
  const latest = deps.nowMs() - source.intervalSeconds * 1_000 - GRACE_MS;
  const longest = msOf(from) + CYCLES_AT_ONCE * source.intervalSeconds * 1_000;
  const to = formatMillis(Math.min(latest, longest));
  if (to <= from) return 0;
  let missed = 0;
  const scheduleCounts: Record<string, ScheduleCounts> = {};
  for (let group = 0; group < source.groups; group += 1) {
    const name = { cloud: source.cloud, source: source.name, group };
    const state = await deps.scheduleState(pollScheduleId(name));
    const reasons = new MissedReasons(state, source.scheduleCounts[group]);
    scheduleCounts[group] = countsOf(state);
    const known = new Map(
      (await knownCycles(deps.pool, name, { from, to })).map((one) => [one.cycle, one]),
    );
    for (const cycle of cyclesOf(name, source.intervalSeconds, { from, to })) {
      const heard = known.get(cycle);
      if (heard?.ended === true) continue;
      await publishMissed(deps, { ...name, cycle }, reasons.next(heard !== undefined));
      missed += 1;
    }
  }
  await noteChecked(deps.pool, source, { checkedUntil: to, scheduleCounts });
  return missed;
}

function msOf(timestamp: string): number {
  return Number(toMicros(timestamp) / 1_000n);
}

function countsOf(state: ScheduleState | null): ScheduleCounts {
  return { skipped_overlap: state?.skippedOverlap ?? 0 };
}

/** Why cycles were missed, as far as their Schedule knows: it counts, and does not say which. */
class MissedReasons {
  readonly #paused: boolean;
  #overlaps: number;

  constructor(state: ScheduleState | null, before: ScheduleCounts | undefined) {
    this.#paused = state?.paused ?? false;
    this.#overlaps = Math.max(0, (state?.skippedOverlap ?? 0) - (before?.skipped_overlap ?? 0));
  }

  next(begun: boolean): { reason: GapReason; detail: string } {
    if (begun) {
      return { reason: 'worker_away', detail: 'The cycle was begun and its end was not heard of' };
    }
    if (this.#overlaps > 0) {
      this.#overlaps -= 1;
      return { reason: 'overlap_skipped', detail: 'The cycle before it was still running' };
    }
    if (this.#paused) return { reason: 'paused', detail: 'The source is paused' };
    return { reason: 'worker_away', detail: 'No worker, or no Temporal, was there to poll' };
  }
}

/** What is in the log all the same is taken off by the store. */
async function publishMissed(
  deps: PollAccountDeps,
  head: PollHead,
  why: { reason: GapReason; detail: string },
): Promise<void> {
  const outcomes = await lastOutcomes(deps.pool, head, head.cycle);
  const expected = outcomes.length > 0 ? outcomes : await unknownOutcome(deps, head);
  const gaps = expected.map((outcome): PollGap => ({
    pollster: outcome.name,
    unit: null,
    units: outcome.discovered,
    meters: outcome.meters,
    partial: false,
    reason: why.reason,
    detail: why.detail,
  })).filter(({ units }) => units > 0);
  const end: PollEnd = {
    started_at: null,
    ended_at: formatMillis(deps.nowMs()),
    pollsters: expected.map((outcome) => ({ ...outcome, listed: false })),
    requests: 0,
    remark_counts: {},
    remarks: [],
  };
  await deps.publish(joinPollMessage(head, { units: [], gaps, end }), pollKey(head));
}

/** Of a source that was never polled nothing is known but what it asks for. */
async function unknownOutcome(deps: PollAccountDeps, head: PollHead): Promise<PollsterOutcome[]> {
  const source = await readPollSource(deps.pool, head.cloud, head.source);
  const names = source === null ? [] : namedMeters(source);
  return [{
    name: '*',
    discovered: 1,
    listed: false,
    meters: (names.length > 0 ? names : ['*']).map((name) => ({ name, type: 'gauge' })),
  }];
}
