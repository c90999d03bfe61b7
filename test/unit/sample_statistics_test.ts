/** Means, spread and percentiles: exact, and rounded once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import {
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
} from '../../meters/quantity.ts';
import {
  meanOfSamples,
  percentilesOf,
  ratePerSecond,
  standardDeviationOf,
  timeWeightedMean,
  varianceOf,
} from '../../meters/sample_statistics.ts';
import { computeWindows } from '../../meters/window_compute.ts';
import { EMPTY_FIGURES, type WindowFigures } from '../../meters/window_figures.ts';

const HOUR = 3_600_000_000n;

/** The figures of an hour of samples, one each second. */
function figuresOf(volumes: readonly string[]): WindowFigures {
  const readings = volumes.map((volume, index) => ({
    at: BigInt(index) * 1_000_000n,
    volume: parseQuantity(volume),
    id: String(index),
    ends: false,
    since: null,
  }));
  const [window] = computeWindows(readings, {
    type: 'gauge',
    from: 0n,
    to: HOUR,
    every: HOUR,
    stalenessMicros: HOUR,
    carry: null,
  });
  return window?.figures ?? EMPTY_FIGURES;
}

function text(quantity: Quantity | null): string | null {
  return quantity === null ? null : formatQuantity(quantity);
}

test('the mean of samples and the time-weighted mean are two figures', () => {
  const figures = figuresOf(['2', '8']);
  assert.equal(text(meanOfSamples(figures)), '5');
  // One second of 2, and 3,599 of 8.
  assert.equal(text(timeWeightedMean(figures, 6)), '7.998333');
  assert.equal(meanOfSamples(EMPTY_FIGURES), null);
  assert.equal(timeWeightedMean(EMPTY_FIGURES), null);
});

test('a rate is the amount for each second of the span', () => {
  assert.equal(text(ratePerSecond(parseQuantity('7200'), HOUR)), '2');
  assert.equal(text(ratePerSecond(parseQuantity('1'), 3_000_000n, 4)), '0.3333');
  assert.equal(ratePerSecond(parseQuantity('1'), 0n), null);
});

test('variance and standard deviation are those of the textbook', () => {
  const figures = figuresOf(['2', '4', '4', '4', '5', '5', '7', '9']);
  assert.equal(text(varianceOf(figures)), '4');
  assert.equal(text(standardDeviationOf(figures)), '2');
  assert.equal(text(varianceOf(figures, { isSample: true, scale: 5 })), '4.57143');
  assert.equal(text(standardDeviationOf(figures, { isSample: true, scale: 5 })), '2.13809');
  assert.equal(text(standardDeviationOf(figuresOf(['7']))), '0');
  assert.equal(standardDeviationOf(figuresOf(['7']), { isSample: true }), null);
  assert.equal(varianceOf(EMPTY_FIGURES), null);
});

test('the spread of large numbers that differ little is not lost to cancellation', () => {
  const figures = figuresOf(['1000000000000000000000.1', '1000000000000000000000.3']);
  assert.equal(text(standardDeviationOf(figures)), '0.1');
});

test('a root that lies between two decimals goes to the even one', () => {
  assert.equal(text(standardDeviationOf(figuresOf(['0', '1']), { scale: 0 })), '0');
  assert.equal(text(standardDeviationOf(figuresOf(['0', '3']), { scale: 0 })), '2');
});

const volume = fc.tuple(fc.integer({ min: -9_999, max: 9_999 }), fc.integer({ min: 0, max: 3 }))
  .map(([unscaled, scale]) => formatQuantity(parseQuantity(`${unscaled}e-${scale}`)));

test('the square of a standard deviation lies within half of its last decimal of the variance', () => {
  fc.assert(
    fc.property(fc.array(volume, { minLength: 1, maxLength: 12 }), (volumes) => {
      const figures = figuresOf(volumes);
      const root = standardDeviationOf(figures, { scale: 3 });
      // In halves of the last decimal, over n²: what must lie between two squares.
      const n = BigInt(volumes.length);
      const scaled = volumes.map((each) => BigInt(Math.round(Number(each) * 1_000)));
      const sum = scaled.reduce((total, each) => total + each, 0n);
      const spread = n * scaled.reduce((total, each) => total + each * each, 0n) - sum * sum;
      assert.ok(root !== null);
      const doubled = 2n * root.unscaled * 10n ** BigInt(3 - root.scale);
      assert.ok((doubled - 1n) ** 2n * n * n <= 4n * spread || doubled === 0n);
      assert.ok((doubled + 1n) ** 2n * n * n >= 4n * spread);
    }),
    { numRuns: 200 },
  );
});

test('a percentile is the least value that so many percent are not above', () => {
  const percents = ['0', '5', '30', '40', '50', '99.9', '100'].map(parseQuantity);
  const values = ['20', '35', '15', '50', '40'].map(parseQuantity);
  assert.deepEqual(
    percentilesOf(values, percents).map(text),
    ['15', '15', '20', '20', '35', '50', '50'],
  );
  assert.deepEqual(percentilesOf([], percents.slice(0, 1)), [null]);
  fc.assert(
    fc.property(
      fc.array(volume.map(parseQuantity), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 1_000 }),
      (values, permille) => {
        const [found] = percentilesOf(values, [parseQuantity(`${permille}e-1`)]);
        assert.ok(found !== undefined && found !== null);
        const enough = (limit: Quantity) =>
          values.filter((value) => compareQuantities(value, limit) <= 0).length * 1_000 >=
            permille * values.length;
        assert.ok(values.some((value) => compareQuantities(value, found) === 0));
        assert.ok(enough(found));
        assert.ok(values.every((value) => compareQuantities(value, found) >= 0 || !enough(value)));
      },
    ),
    { numRuns: 200 },
  );
});

test('a percentile outside of 0 to 100 is refused', () => {
  for (const percent of ['-0.1', '100.01']) {
    assert.throws(
      () => percentilesOf([], [parseQuantity(percent)]),
      (error) => isNephoError(error) && error.code === 'percentile_invalid',
    );
  }
});
