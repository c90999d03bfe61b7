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
  if (held !== undefined && !hasEnded(readings, before) && moment < held.at + staleness) {
    return held.volume;
  }
  const next = readings[before + 1];
  if (next === undefined || next.since === null) return null;
  if (held !== undefined && hasEnded(readings, before) && next.since < held.at) return null;
  return moment >= next.since && moment >= next.at - staleness ? next.volume : null;
}

/** The thing had ended by this reading: it says so, or it tells of a life that had ended before it. */
export function hasEnded(readings: readonly WindowReading[], index: number): boolean {
  const reading = readings[index];
  const before = readings[index - 1];
  if (reading === undefined) return false;
  return reading.ends || (before !== undefined && reading.since !== null &&
    reading.since < before.at && hasEnded(readings, index - 1));
}

/** The time-weighted sum of a gauge over a span, from the value in each stretch in which it cannot change. */
export function heldIn(
  readings: readonly WindowReading[],
  staleness: bigint,
  span: { start: bigint; end: bigint },
): Held {
  const edges = readings.flatMap(({ at, since }) =>
    [at, at + staleness, at - staleness, ...(since === null ? [] : [since])]
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

/** True if a value that held just before some moment within the span was not heard of again in time. */
export function expiresIn(
  readings: readonly WindowReading[],
  staleness: bigint,
  span: { start: bigint; end: bigint },
): boolean {
  return readings.some(({ at }, index) => {
    const stale = at + staleness;
    const lastOfItsTime = readings[index + 1]?.at !== at;
    return lastOfItsTime && !hasEnded(readings, index) && stale > span.start && stale <= span.end &&
      readings.every((other) => other.at <= at || other.at >= stale) &&
      !readings.some((other) => other.at === stale) &&
      valueAt(readings, staleness, stale) === null;
  });
}
