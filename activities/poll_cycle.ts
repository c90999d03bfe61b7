import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { type CycleReceipt, runCycle } from '../collectors/polling/run_cycle.ts';
import { cyclesWithGaps, lastOutcomes } from '../db/poll_cycles.ts';
import { selectFeeds } from '../collectors/polling/selection.ts';
import { withTimeLimit } from '../collectors/polling/time_limit.ts';
import { type PollSource, readPollSource } from '../db/poll_sources.ts';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { groupOf } from '../meters/poll_schedule.ts';
import { type PollHead, pollKey } from '../meters/poll_message.ts';
import type { PollDeps } from './poll_deps.ts';
import { cycleSource } from './poll_source_spec.ts';

export interface PollCycleInput extends PollHead {
  /** From whatever remembers the cycle's time, to repair it. */
  from_history: boolean;
  /** Seconds that polling may take. */
  seconds: number;
}

export interface PollActivities {
  /**
   * Polls one group's share of one cycle. Safe to run again, and beside another: what is read first
   * counts, and the rest is known by its identity.
   */
  pollCycle(input: PollCycleInput): Promise<CycleReceipt>;
  /** The next cycles with gaps that somebody remembers the readings of. */
  repairableCycles(input: RepairInput): Promise<Repairable>;
}

export interface RepairInput {
  cloud: string;
  source: string;
  group: number;
  /** Nominal times, the first included, the second not. */
  from: string;
  to: string;
  limit: number;
}

export interface Repairable {
  /** Pollsters of the source that know history. */
  pollsters: string[];
  /** Nominal times, oldest first, `limit` at most. */
  cycles: string[];
}

const HEARTBEAT_MS = 1_000;

/** Failures that another attempt in the same cycle meets again. */
const LASTING = new Set([
  'source_unknown',
  'cloud_unknown',
  'source_invalid',
  'cloud_invalid',
  'name_taken',
]);

export function createPollActivities(deps: PollDeps): PollActivities {
  return {
    pollCycle: async (input) => {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
      try {
        const seconds = secondsLeft(input.seconds, context.info.scheduledTimestampMs);
        return await pollGroup(deps, { ...input, seconds }, context.cancellationSignal);
      } catch (error) {
        const { cloud, source, group } = input;
        const isStopping = isNephoError(error) && error.code === 'worker_stopping';
        deps.log[isStopping ? 'info' : 'error']('cycle_failed', {
          cloud,
          source,
          group,
          error: errorMessage(error),
        });
        throw pollFailure(error);
      } finally {
        clearInterval(beat);
      }
    },
    repairableCycles: async (input) => {
      try {
        return await findRepairable(deps, input);
      } catch (error) {
        throw pollFailure(error);
      }
    },
  };
}

/**
 * What is left of the time that all attempts have together, less a tenth: who has used it up says itself
 * what it could not read, before Temporal takes it for lost.
 */
function secondsLeft(seconds: number, scheduledMs: number): number {
  const left = seconds - Math.max(0, Date.now() - scheduledMs) / 1_000;
  return Math.max(1, left - Math.min(5, seconds / 10));
}

async function findRepairable(deps: PollDeps, input: RepairInput): Promise<Repairable> {
  const { registry } = await deps.collectors(input.cloud);
  const source = await sourceInForce(deps, input);
  const remembering = registry.pollsters.filter((pollster) => pollster.pollAt !== undefined);
  const pollsters = selectFeeds(remembering, cycleSource(source, true))
    .flatMap(({ selected }) => selected.map(({ pollster }) => pollster.name));
  if (pollsters.length === 0) return { pollsters, cycles: [] };
  return { pollsters, cycles: await cyclesWithGaps(deps.pool, input, { ...input, pollsters }) };
}

/**
 * The same apart from Temporal.
 *
 * @param stop aborted when the worker ends: the attempt fails, for another worker to make
 * @throws {NephoError} `source_unknown`, `cloud_unknown`, `worker_stopping`, of the intake
 */
export async function pollGroup(
  deps: PollDeps,
  input: PollCycleInput,
  stop: AbortSignal,
): Promise<CycleReceipt> {
  const head = headOf(input);
  const source = await sourceInForce(deps, head);
  const [collectors, outcomes] = await Promise.all([
    deps.collectors(head.cloud),
    lastOutcomes(deps.pool, head, head.cycle),
  ]);
  const discovered = new Map(outcomes.map((one) => [one.name, one.discovered]));
  const memory = deps.memory(head.cloud, head.source);
  for (const { name, meters } of outcomes) memory.seenMeters.learn(name, meters);
  const time = { milliseconds: Math.ceil(input.seconds * 1_000), stop };
  return await withTimeLimit(
    time,
    (signal) =>
      runCycle(head, cycleSource(source, input.from_history), {
        registry: collectors.registry,
        memory,
        isOurs: (unit) => source.groups === 1 || groupOf(unit, source.groups) === head.group,
        lastDiscovered: (pollster) => discovered.get(pollster) ?? null,
        requests: () => collectors.requests(),
        nowMs: () => deps.nowMs(),
        signal,
        isStopping: () => stop.aborted,
        publish: (message) => deps.publish(message, pollKey(head)),
      }),
  );
}

export function headOf({ cloud, source, group, cycle }: PollHead): PollHead {
  return { cloud, source, group, cycle };
}

async function sourceInForce(
  deps: PollDeps,
  head: Omit<PollHead, 'cycle'>,
): Promise<PollSource> {
  const source = await readPollSource(deps.pool, head.cloud, head.source);
  if (source !== null && head.group < source.groups) return source;
  throw new NephoError(
    'source_unknown',
    `Cannot poll group ${head.group} of '${head.source}' in '${head.cloud}': no such source is in force, run 'nepho sources apply'`,
  );
}

/** What Temporal records: our code and sentence, no payload. */
function pollFailure(error: unknown): ApplicationFailure {
  const code = isNephoError(error) ? error.code : 'unexpected';
  return ApplicationFailure.create({
    message: errorMessage(error).slice(0, 1_000),
    type: code,
    nonRetryable: LASTING.has(code),
  });
}
