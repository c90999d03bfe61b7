import { NephoError } from './errors.ts';
import {
  addQuantities,
  compareQuantities,
  divideQuantities,
  formatQuantity,
  multiplyQuantities,
  type Quantity,
  subtractQuantities,
} from './quantity.ts';
import type { WindowFigures } from './window_figures.ts';

/** Decimals of what is divided, unless asked for others: as many as a quantity in unit hours has. */
export const STATISTICS_SCALE = 12;

const MICRO = 6;
const ZERO: Quantity = { unscaled: 0n, scale: 0 };
const HUNDRED: Quantity = { unscaled: 100n, scale: 0 };

export interface SpreadOptions {
  /** Decimals, ties to even. */
  readonly scale?: number;
  /** True divides by the count less one, as for a sample of something larger. */
  readonly isSample?: boolean;
}

/**
 * The mean of samples, whatever time they stand for: Ceilometer's `avg`. Null without samples.
 * {@link timeWeightedMean} is what a value was on average.
 */
export function meanOfSamples(
  { count, sum }: Pick<WindowFigures, 'count' | 'sum'>,
  scale: number = STATISTICS_SCALE,
): Quantity | null {
  return count === 0 ? null : divideQuantities(sum, whole(count), scale);
}

/** What a gauge was on average over the time in which a value held. Null if none did. */
export function timeWeightedMean(
  { integral, coveredMicros }: Pick<WindowFigures, 'integral' | 'coveredMicros'>,
  scale: number = STATISTICS_SCALE,
): Quantity | null {
  if (coveredMicros === 0n) return null;
  return divideQuantities(integral, { unscaled: coveredMicros, scale: MICRO }, scale);
}

/**
 * What something came to for each second of a span of time, as the increase of a counter. Null of an empty
 * span.
 */
export function ratePerSecond(
  amount: Quantity,
  spanMicros: bigint,
  scale: number = STATISTICS_SCALE,
): Quantity | null {
  return spanMicros <= 0n
    ? null
    : divideQuantities(amount, { unscaled: spanMicros, scale: MICRO }, scale);
}

/** The variance of samples, rounded once from the exact value. Null of too few samples. */
export function varianceOf(
  figures: Pick<WindowFigures, 'count' | 'sum' | 'sumSquares'>,
  { scale = STATISTICS_SCALE, isSample = false }: SpreadOptions = {},
): Quantity | null {
  const exact = exactVariance(figures, isSample);
  return exact === null ? null : divideQuantities(exact.numerator, exact.denominator, scale);
}

/** The standard deviation of samples, rounded once from the exact value. Null of too few samples. */
export function standardDeviationOf(
  figures: Pick<WindowFigures, 'count' | 'sum' | 'sumSquares'>,
  { scale = STATISTICS_SCALE, isSample = false }: SpreadOptions = {},
): Quantity | null {
  const exact = exactVariance(figures, isSample);
  return exact === null ? null : squareRoot(exact.numerator, exact.denominator, scale);
}

/**
 * Percentiles by nearest rank: the p-th is the smallest value that at least p percent of the values are not
 * above, so it is always one of the values and nothing is made up between two. The 0th is the least.
 *
 * @param percents from 0 to 100, as 99.9
 * @returns one for each of `percents`; null without values
 * @throws {NephoError} `percentile_invalid`
 */
export function percentilesOf(
  values: readonly Quantity[],
  percents: readonly Quantity[],
): (Quantity | null)[] {
  const ordered = [...values].sort(compareQuantities);
  return percents.map((percent) => {
    if (compareQuantities(percent, ZERO) < 0 || compareQuantities(percent, HUNDRED) > 0) {
      throw new NephoError(
        'percentile_invalid',
        `Cannot find the percentile '${formatQuantity(percent)}': write a number from 0 to 100`,
      );
    }
    return ordered[rankOf(percent, ordered.length) - 1] ?? null;
  });
}

/** From 1: the least rank that is at least p percent of the count. */
function rankOf({ unscaled, scale }: Quantity, count: number): number {
  const over = 100n * 10n ** BigInt(scale);
  const rank = (unscaled * BigInt(count) + over - 1n) / over;
  return rank < 1n ? 1 : Number(rank);
}

/** (n·Σx² − (Σx)²) / n², or / n·(n − 1). */
function exactVariance(
  { count, sum, sumSquares }: Pick<WindowFigures, 'count' | 'sum' | 'sumSquares'>,
  isSample: boolean,
): { numerator: Quantity; denominator: Quantity } | null {
  if (count < (isSample ? 2 : 1)) return null;
  return {
    numerator: subtractQuantities(
      multiplyQuantities(whole(count), sumSquares),
      multiplyQuantities(sum, sum),
    ),
    denominator: multiplyQuantities(whole(count), whole(isSample ? count - 1 : count)),
  };
}

/** The root of a quotient that is not negative, to `scale` decimals, ties to even. */
function squareRoot(numerator: Quantity, denominator: Quantity, scale: number): Quantity {
  // The quotient as one of whole numbers, once the root is to be whole.
  const shift = 2 * scale - numerator.scale + denominator.scale;
  const over = numerator.unscaled * 10n ** BigInt(Math.max(shift, 0));
  const under = denominator.unscaled * 10n ** BigInt(Math.max(-shift, 0));
  let root = wholeRoot(over / under);
  const half = (2n * root + 1n) ** 2n * under;
  if (4n * over > half || (4n * over === half && root % 2n === 1n)) root += 1n;
  return addQuantities({ unscaled: root, scale }, ZERO);
}

/** The greatest whole number whose square is not above `value`, by Newton's method from above. */
function wholeRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function whole(count: number): Quantity {
  return { unscaled: BigInt(count), scale: 0 };
}
