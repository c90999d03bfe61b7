/** How far a log's hours may be sealed: nobody's clock alone decides that. */
import { countLateSamples } from '../db/late_samples.ts';
import { readLog } from '../db/logs.ts';
import { listPollSources, type PollSource } from '../db/poll_sources.ts';
import { hourOf } from '../db/window_columns.ts';
import { databaseNow, readWindowKeeper } from '../db/window_keepers.ts';
import { shardOf } from '../meters/intake_key.ts';
import { pollKey } from '../meters/poll_message.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { beginWindows } from './begin_windows.ts';
import type { IntakeBacklog, WindowDeps } from './window_deps.ts';

export interface WatermarkInput {
  shard: number;
  /** The workflow's time, which is that of Temporal's server: canonical timestamp. */
  now: string;
}

/** What the sealing of the next hour waits for. */
export interface WatermarkWait {
  reason: 'log_not_begun' | 'no_samples' | 'grace' | 'intake' | 'polls';
  detail: string;
}

export interface Watermark {
  shard: number;
  /** Leaves of the log, of which all figures are made. */
  size: number;
  /** Every hour before it is sealed; null before the first sample. */
  sealed_until: string | null;
  /** Every hour before it may be sealed, if it is after `sealed_until`. */
  ready_until: string | null;
  /** Samples that came for sealed hours and have not made revisions yet. */
  late: number;
  waiting_for: WatermarkWait[];
  look_again_seconds: number;
}

const MICROS_PER_MILLI = 1_000n;
const NAMED_SOURCES = 3;

/**
 * An hour is ready when its end and the grace are past by the workflow's time and by the database's, whichever
 * is behind; the clock of the worker is not asked. What was sent to the intake until then must be in the log,
 * and the cycles of polls accounted for, for which it waits no longer than its policy says.
 *
 * Begins the log's windows when it first finds a sample.
 */
export async function readWatermark(deps: WindowDeps, input: WatermarkInput): Promise<Watermark> {
  const { pool, watermark } = deps;
  // In this order: what a cycle is found to lack goes into the intake before the cycle counts as accounted
  // for, and from the intake into the log.
  const sources = (await listPollSources(pool)).filter((source) => isOfShard(source, input, deps));
  const backlog = await deps.backlog(input.shard);
  const log = await readLog(pool, input.shard);
  const clock = await databaseNow(pool);
  const now = toMicros(clock < input.now ? clock : input.now);
  const nothing = {
    shard: input.shard,
    size: log?.size ?? 0,
    sealed_until: null,
    ready_until: null,
    late: 0,
    look_again_seconds: watermark.everySeconds,
  };
  if (log === null) {
    return {
      ...nothing,
      waiting_for: [{ reason: 'log_not_begun', detail: 'No ingest yet' }],
    };
  }
  const keeper = await readWindowKeeper(pool, input.shard) ??
    await beginWindows(pool, await deps.rules(), {
      logId: input.shard,
      size: log.size,
      now: formatMicros(now),
    });
  if (keeper === null) {
    return {
      ...nothing,
      waiting_for: [{ reason: 'no_samples', detail: 'No sample yet' }],
    };
  }
  const grace = BigInt(watermark.graceMs) * MICROS_PER_MILLI;
  const wait = BigInt(watermark.maxWaitMs) * MICROS_PER_MILLI;
  const limits = [
    graceLimit(now - grace),
    intakeLimit(backlog, grace, keeper.sealedUntil),
    pollLimit(sources, now - grace - wait),
  ];
  const ready = limits.reduce((least, { until }) => until < least ? until : least, hourOf(now));
  const next = toMicros(keeper.sealedUntil) + HOUR_MICROS;
  const search = {
    logId: input.shard,
    from: keeper.scannedTo,
    to: log.size,
    sealedUntil: keeper.sealedUntil,
  };
  return {
    ...nothing,
    sealed_until: keeper.sealedUntil,
    ready_until: formatMicros(ready),
    late: keeper.scannedTo < log.size ? await countLateSamples(pool, search) : 0,
    waiting_for: limits.filter(({ until }) => until < next).map(({ wait }) => wait),
  };
}

/** Hours before `until` may be sealed as far as one reason goes. */
interface Limit {
  until: bigint;
  wait: WatermarkWait;
}

function graceLimit(past: bigint): Limit {
  const until = hourOf(past);
  return { until, wait: { reason: 'grace', detail: 'The hour and its grace are not over' } };
}

/** What was sent after the grace of an hour cannot be what the hour waits for. */
function intakeLimit(
  { messages, oldestMs }: IntakeBacklog,
  grace: bigint,
  sealedUntil: string,
): Limit {
  const detail = `${messages} messages are in the intake and not in the log`;
  const wait = { reason: 'intake', detail } as const;
  if (messages === 0) return { until: FAR, wait };
  if (oldestMs === null) return { until: toMicros(sealedUntil), wait };
  return { until: hourOf(BigInt(Math.floor(oldestMs)) * MICROS_PER_MILLI - grace), wait };
}

/** @param longest every hour before it has waited long enough */
function pollLimit(sources: readonly PollSource[], longest: bigint): Limit {
  const behind = sources.toSorted((a, b) => a.checkedUntil < b.checkedUntil ? -1 : 1);
  const first = behind[0];
  const names = behind.slice(0, NAMED_SOURCES).map(({ cloud, name }) => `'${cloud}/${name}'`);
  const wait = {
    reason: 'polls',
    detail: `It is not known yet whether ${names.join(', ')} lack cycles`,
  } as const;
  if (first === undefined) return { until: FAR, wait };
  const checked = hourOf(toMicros(first.checkedUntil));
  const waited = hourOf(longest);
  return { until: checked > waited ? checked : waited, wait };
}

/** Beyond any hour. */
const FAR = toMicros('9999-12-31T23:00:00.000000Z');

/** Whether any of its groups brings samples to the shard. */
function isOfShard(
  { cloud, name, groups }: PollSource,
  { shard }: WatermarkInput,
  { shards }: WindowDeps,
): boolean {
  return Array.from({ length: groups }, (_, group) => group)
    .some((group) => shardOf(pollKey({ cloud, source: name, group }), shards) === shard);
}
