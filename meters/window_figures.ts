import { addQuantities, compareQuantities, type Quantity } from './quantity.ts';
import type { Carry, TimedVolume } from './window_reading.ts';

/**
 * What a half-open span of time came to, of one series. Everything adds up: the figures of two spans that
 * meet are merged into those of both, in any grouping (see {@link mergeFigures}).
 */
export interface WindowFigures {
  readonly count: number;
  readonly sum: Quantity;
  readonly sumSquares: Quantity;
  readonly min: Quantity | null;
  readonly max: Quantity | null;
  readonly first: TimedVolume | null;
  readonly last: TimedVolume | null;
  /** Of a cumulative meter: what the counter grew by, see window_compute.ts; 0 of the others. */
  readonly increase: Quantity;
  /** How often the counter began again, and how often it went back a little. */
  readonly resets: number;
  readonly stepsBack: number;
  /** Of a gauge: its value times the seconds that it held, in unit seconds; 0 of the others. */
  readonly integral: Quantity;
  /** Of a gauge: microseconds of the span in which a value held. */
  readonly coveredMicros: bigint;
  /** Of a gauge: a value ran out within the span because nothing was heard for the meter's staleness. */
  readonly expired: boolean;
  /** The thing had ended by the last reading of the span; false without readings. */
  readonly ended: boolean;
}

const ZERO: Quantity = { unscaled: 0n, scale: 0 };

/** The figures of a span in which nothing is: merged with others, it changes nothing. */
export const EMPTY_FIGURES: WindowFigures = {
  count: 0,
  sum: ZERO,
  sumSquares: ZERO,
  min: null,
  max: null,
  first: null,
  last: null,
  increase: ZERO,
  resets: 0,
  stepsBack: 0,
  integral: ZERO,
  coveredMicros: 0n,
  expired: false,
  ended: false,
};

/**
 * The figures of two spans together. Associative, so that hours make days and days make months; of the same
 * series only, and `later` begins where `earlier` ends or after it.
 */
export function mergeFigures(earlier: WindowFigures, later: WindowFigures): WindowFigures {
  return {
    count: earlier.count + later.count,
    sum: addQuantities(earlier.sum, later.sum),
    sumSquares: addQuantities(earlier.sumSquares, later.sumSquares),
    min: lesser(earlier.min, later.min),
    max: greater(earlier.max, later.max),
    first: earlier.first ?? later.first,
    last: later.last ?? earlier.last,
    increase: addQuantities(earlier.increase, later.increase),
    resets: earlier.resets + later.resets,
    stepsBack: earlier.stepsBack + later.stepsBack,
    integral: addQuantities(earlier.integral, later.integral),
    coveredMicros: earlier.coveredMicros + later.coveredMicros,
    expired: earlier.expired || later.expired,
    ended: later.last === null ? earlier.ended : later.ended,
  };
}

/** What the span after goes on from, by what this span went on from and what was in it. */
export function carryAfter(figures: WindowFigures, carry: Carry | null): Carry | null {
  return figures.last === null ? carry : { ...figures.last, ended: figures.ended };
}

export function lesser(left: Quantity | null, right: Quantity | null): Quantity | null {
  if (left === null || right === null) return left ?? right;
  return compareQuantities(left, right) <= 0 ? left : right;
}

export function greater(left: Quantity | null, right: Quantity | null): Quantity | null {
  if (left === null || right === null) return left ?? right;
  return compareQuantities(left, right) >= 0 ? left : right;
}
