/**
 * What windows must come to, said again in another way: not a pass over readings, but the question, asked of
 * each moment by itself, which value holds then.
 */
import { addQuantities, multiplyQuantities, type Quantity } from '../../meters/quantity.ts';
import type { WindowReading } from '../../meters/window_reading.ts';

export const NOTHING: Quantity = { unscaled: 0n, scale: 0 };

export interface Held {
  integral: Quantity;
  covered: bigint;
}

/** The value of a gauge in a moment, or null. `readings` are in order. */
export function valueAt(
  readings: readonly WindowReading[],
  staleness: bigint,
  moment: bigint,
): Quantity | null {
  const before = readings.findLastIndex(({ at }) => at <= moment);
  const held = readings[before];
  const next = readings[before + 1];
  if (next !== undefined && endsBefore(next, staleness, moment)) return null;
  if (held !== undefined && !hasEnded(readings, before) && moment < held.at + staleness) {
    return held.volume;
  }
  if (next === undefined || next.since === null) return null;
  if (held !== undefined && hasEnded(readings, before) && next.since < held.at) return null;
  return moment >= next.since && moment >= next.at - staleness ? next.volume : null;
}

/** The reading says that the thing had ended by this moment, as far as it may tell of the past. */
function endsBefore({ at, until }: WindowReading, staleness: bigint, moment: bigint): boolean {
  return until !== null && until !== undefined && until <= moment && moment >= at - staleness;
}

/** The thing had ended by this reading: it says so, or it tells of a life that had ended before it. */
export function hasEnded(readings: readonly WindowReading[], index: number): boolean {
  const reading = readings[index];
  const before = readings[index - 1];
  if (reading === undefined) return false;
  if (reading.ends || (reading.until !== null && reading.until !== undefined)) return true;
  return before !== undefined && reading.since !== null &&
    reading.since < before.at && hasEnded(readings, index - 1);
}

/** The time-weighted sum of a gauge over a span, from the value in each stretch in which it cannot change. */
export function heldIn(
  readings: readonly WindowReading[],
  staleness: bigint,
  span: { start: bigint; end: bigint },
): Held {
  const edges = readings.flatMap(({ at, since, until }) =>
    [at, at + staleness, at - staleness, since ?? at, until ?? at]
      .filter((edge) => edge > span.start && edge < span.end)
  );
  const cuts = [...new Set([span.start, ...edges, span.end])].sort((a, b) => a < b ? -1 : 1);
  const held: Held = { integral: NOTHING, covered: 0n };
  cuts.slice(1).forEach((end, index) => {
    const start = cuts[index] ?? end;
    const value = valueAt(readings, staleness, start);
    if (value === null) return;
    const seconds = { unscaled: end - start, scale: 6 };
    held.integral = addQuantities(held.integral, multiplyQuantities(value, seconds));
    held.covered += end - start;
  });
  return held;
}

/**
 * True if within the span a value was not renewed in time: it held for its whole staleness, and then
 * nothing did, without anything having said that the thing had ended by then.
 */
export function expiresIn(
  readings: readonly WindowReading[],
  staleness: bigint,
  span: { start: bigint; end: bigint },
): boolean {
  return readings.some(({ at }, index) => {
    const stale = at + staleness;
    const next = readings[index + 1];
    return !hasEnded(readings, index) && stale > span.start && stale <= span.end &&
      (next === undefined || next.at > stale) &&
      !(next !== undefined && endsBefore(next, staleness, stale)) &&
      valueAt(readings, staleness, stale) === null;
  });
}
