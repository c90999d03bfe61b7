import { assert } from './assert.ts';
import { addQuantities, compareQuantities, subtractQuantities } from './quantity.ts';
import type { MeterType } from './sample.ts';
import { type CounterStep, WindowBuilder } from './window_builder.ts';
import type { WindowFigures } from './window_figures.ts';
import type { Carry, TimedVolume, WindowReading } from './window_reading.ts';

export interface WindowOptions {
  readonly type: MeterType;
  /** Microseconds since 1970, UTC: inclusive, and where the first window begins. */
  readonly from: bigint;
  /** Exclusive. The last window ends here, be it whole or not. */
  readonly to: bigint;
  /** The length of a window in microseconds. */
  readonly every: bigint;
  /** How long a gauge's value holds when nothing more is heard, in microseconds. */
  readonly stalenessMicros: bigint;
  /** The last reading before `from`, or before those of `readings` that come before `from`. */
  readonly carry: Carry | null;
}

/** The figures of one window, and what they went on from. Times are microseconds since 1970, UTC. */
export interface ComputedWindow {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  readonly figures: WindowFigures;
  /** The last reading before the window. */
  readonly carry: Carry | null;
}

/**
 * The figures of one series in the windows of a range: only of the windows in which something is, in order.
 *
 * - **delta**: what counts is the sum of the readings.
 * - **cumulative**: each reading is compared with the one before it, and what the counter grew by belongs
 *   wholly to the window of the later one, so that consecutive windows add up exactly. See {@link counterStep}.
 * - **gauge**: a reading's value holds until the next reading, or until its staleness has passed; an `ends`
 *   reading does not hold. See {@link layGauge}.
 *
 * @param readings in any order: they are sorted by time, what tells an end last, volume and id, so that the order of arrival
 *   never matters. Those before `from` are what the range goes on from, in place of an earlier `carry`; of
 *   those at `to` and after it only `since` matters.
 */
export function computeWindows(
  readings: readonly WindowReading[],
  options: WindowOptions,
): ComputedWindow[] {
  const { type, from, to, every, stalenessMicros, carry } = options;
  assert(every > 0n && stalenessMicros > 0n, 'windows and staleness are longer than nothing');
  assert(carry === null || carry.at < from, 'the carry of a range comes before it');
  if (to <= from) return [];
  const known = carry === null ? readings : readings.filter(({ at }) => at > carry.at);
  const ordered = [...known].sort(type === 'cumulative' ? byTimeAndVolume : byTimeAndEnd);
  const builder = new WindowBuilder({ from, to, every }, carry);
  if (type === 'gauge') layGauge(builder, ordered, stalenessMicros);
  else {
    for (const reading of ordered) {
      const step = type === 'cumulative' ? counterStep(builder.last, reading) : null;
      builder.addReading(reading, reading.ends, step);
    }
  }
  return builder.windows;
}

/**
 * How a counter went on. One that fell to half or less began again from zero, and what it shows is what it
 * grew by. One that fell by less went back a little, as when two sources disagree: that is no growth, and
 * counting all of it would bill a whole counter for a small difference. Of the first reading ever nothing is
 * known: it counts nothing.
 */
function counterStep(before: Carry | null, { volume }: TimedVolume): CounterStep | null {
  if (before === null) return null;
  if (compareQuantities(volume, before.volume) >= 0) {
    return { kind: 'increase', by: subtractQuantities(volume, before.volume) };
  }
  const began = volume.unscaled >= 0n &&
    compareQuantities(addQuantities(volume, volume), before.volume) <= 0;
  return began ? { kind: 'reset', by: volume } : { kind: 'back' };
}

/**
 * Lays the values of a gauge as steps.
 *
 * A reading with `since` says that its value held before, too: where nothing else is known, it fills the
 * time back to then. One with `until` says that the thing had ended by then: it cuts what held. Neither
 * reaches back further than the staleness, so that a late reading touches no more than that.
 *
 * If the thing had ended after its `since`, the reading is a report of the life that ended, as when an audit
 * lists the instances that were deleted within its period: it neither fills nor holds.
 */
function layGauge(
  builder: WindowBuilder,
  readings: readonly WindowReading[],
  stalenessMicros: bigint,
): void {
  for (const reading of readings) {
    const { at, volume, since, until = null } = reading;
    const before = builder.last;
    const gone = before !== null && before.ended && since !== null && since < before.at;
    const reach = at - stalenessMicros;
    const end = until === null || until > at ? at : latest(until, reach);
    const start = since === null || since > end || gone ? end : latest(since, reach);
    const known = layHold(builder, stalenessMicros, { start, end });
    builder.addHold(volume, known === null ? start : latest(start, known), end);
    builder.addReading(reading, tellsEnd(reading) || gone, null);
  }
  layHold(builder, stalenessMicros, null);
}

/**
 * Lays the value of the last reading until it is replaced or stale.
 *
 * @param next the time that the next reading tells of, which ends at that reading or where it says that the
 *   thing ended; null if there is none
 * @returns to where time is spoken for; null if nothing came before
 */
function layHold(
  builder: WindowBuilder,
  stalenessMicros: bigint,
  next: { start: bigint; end: bigint } | null,
): bigint | null {
  const held = builder.last;
  if (held === null || held.ended) return held === null ? null : held.at;
  const stale = held.at + stalenessMicros;
  const end = next !== null && next.end < stale ? next.end : stale;
  builder.addHold(held.volume, held.at, end);
  if (end === stale && (next === null || next.start > stale)) builder.addExpiry(stale);
  return latest(end, held.at);
}

function byTimeAndEnd(left: WindowReading, right: WindowReading): number {
  return byTime(left, right) || Number(tellsEnd(left)) - Number(tellsEnd(right)) ||
    byVolume(left, right);
}

function tellsEnd({ ends, until = null }: WindowReading): boolean {
  return ends || until !== null;
}

function byTimeAndVolume(left: WindowReading, right: WindowReading): number {
  return byTime(left, right) || byVolume(left, right);
}

function byTime(left: WindowReading, right: WindowReading): number {
  return left.at < right.at ? -1 : left.at > right.at ? 1 : 0;
}

function byVolume(left: WindowReading, right: WindowReading): number {
  return compareQuantities(left.volume, right.volume) || byText(left.id, right.id);
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function latest(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
