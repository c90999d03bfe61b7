import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BucketFigures, bucketFigures, labelledFigures } from '../../meters/bucket_figures.ts';
import { addQuantities, formatQuantity, parseQuantity } from '../../meters/quantity.ts';
import { METER_TYPES } from '../../meters/sample.ts';
import { computeWindows } from '../../meters/window_compute.ts';
import type { Carry } from '../../meters/window_reading.ts';

const STALENESS = 40n;

const reading = fc.record({
  at: fc.bigInt({ min: 0n, max: 400n }),
  volume: fc.integer({ min: 0, max: 20 }).map((n) => parseQuantity(`${n}.5`)),
  id: fc.uuid(),
  ends: fc.integer({ max: 9, min: 0 }).map((n) => n === 0),
  since: fc.option(fc.bigInt({ min: 0n, max: 400n }), { freq: 3 }),
  until: fc.option(fc.bigInt({ min: 0n, max: 400n }), { freq: 1 }),
});

const question = fc.record({
  readings: fc.uniqueArray(reading, { maxLength: 25, selector: ({ id }) => id }),
  type: fc.constantFrom(...METER_TYPES),
  bounds: fc.uniqueArray(fc.bigInt({ min: 50n, max: 380n }), { minLength: 2, maxLength: 9 })
    .map((bounds) => bounds.sort((a, b) => a < b ? -1 : 1)),
  carry: fc.option(
    fc.record({
      at: fc.constant(-5n),
      volume: fc.constant(parseQuantity('3')),
      ended: fc.boolean(),
    }),
  ),
}).map(({ bounds, ...rest }) => {
  const span = { start: bounds[0] ?? 0n, end: bounds.at(-1) ?? 0n };
  return { ...rest, bounds, span, stalenessMicros: STALENESS };
});

/** All that adds up, by bucket. */
function sums(figures: readonly BucketFigures[]): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const { bucket, figures: one } of figures) {
    const own = [one.sum, one.increase, one.integral, parseQuantity(String(one.coveredMicros))];
    own.push(parseQuantity(String(one.count)), parseQuantity(String(one.resets)));
    const before = found.get(bucket)?.map(parseQuantity) ?? own.map(() => parseQuantity('0'));
    const after = own.map((value, n) => addQuantities(value, before[n] ?? value));
    if (after.some(({ unscaled }) => unscaled !== 0n)) found.set(bucket, after.map(formatQuantity));
  }
  return found;
}

test('bucketFigures gives each bucket what computeWindows gives it alone', () => {
  fc.assert(fc.property(question, ({ readings, ...options }) => {
    const alone = options.bounds.slice(0, -1).flatMap((from, bucket) => {
      const to = options.bounds[bucket + 1] ?? from;
      const carry: Carry | null = options.carry;
      return computeWindows(readings, { ...options, carry, from, to, every: to - from })
        .map(({ figures }) => ({ bucket, figures }));
    });
    assert.deepEqual(bucketFigures(readings, options), alone);
  }));
});

test('labelledFigures add up to what is not told apart, whatever the labels are', () => {
  fc.assert(
    fc.property(question, fc.integer({ min: 1, max: 4 }), ({ readings, ...options }, labels) => {
      const labelOf = (id: string): string | null => {
        const n = parseInt(id.slice(0, 4), 16) % labels;
        return n === 0 ? null : `label ${n}`;
      };
      // What held before the first reading is nobody's whose label is known: there must be a reading.
      const held = readings.some(({ at }) => at < options.span.start) || options.carry === null;
      if (!held) return;
      assert.deepEqual(
        sums(labelledFigures(readings, { ...options, labelOf })),
        sums(bucketFigures(readings, options)),
      );
    }),
    { numRuns: 300 },
  );
});
