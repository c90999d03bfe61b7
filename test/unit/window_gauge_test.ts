/** Gauges in windows: what holds when, against a model that asks each moment by itself. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { parseQuantity } from '../../meters/quantity.ts';
import { computeWindows } from '../../meters/window_compute.ts';
import { carryAfter, EMPTY_FIGURES, mergeFigures } from '../../meters/window_figures.ts';
import type { WindowReading } from '../../meters/window_reading.ts';
import { expiresIn, heldIn } from '../support/naive_usage.ts';

const SECOND = 1_000_000n;
const FROM = 1_000_000n * SECOND;

/** Small numbers, so that times meet, volumes tie and lives end at once. */
const reading = fc.record({
  at: fc.integer({ min: -30, max: 130 }),
  volume: fc.constantFrom('0', '1', '2.5', '4', '0.000001'),
  ends: fc.boolean(),
  since: fc.option(fc.integer({ min: -60, max: 140 })),
  until: fc.option(fc.integer({ min: -60, max: 140 }), { freq: 2 }),
  id: fc.string({ maxLength: 4 }),
}).map(({ at, volume, ends, since, until, id }): WindowReading => ({
  at: FROM + BigInt(at) * SECOND,
  volume: parseQuantity(volume),
  ends,
  since: since === null ? null : FROM + BigInt(since) * SECOND,
  until: until === null ? null : FROM + BigInt(until) * SECOND,
  id,
}));

const readings = fc.uniqueArray(reading, { maxLength: 8, selector: ({ id }) => id });
const staleness = fc.integer({ min: 1, max: 60 }).map((seconds) => BigInt(seconds) * SECOND);
const RANGE = { type: 'gauge', from: FROM, to: FROM + 100n * SECOND, carry: null } as const;

/** By the rule of the documentation: time, ends, volume, id. */
function inOrder(unordered: readonly WindowReading[]): WindowReading[] {
  return [...unordered].sort((a, b) =>
    Number(a.at - b.at) || Number(tellsEnd(a)) - Number(tellsEnd(b)) ||
    Number(scaled(a) - scaled(b)) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

function tellsEnd({ ends, until }: WindowReading): boolean {
  return ends || (until !== null && until !== undefined);
}

function scaled({ volume }: WindowReading): bigint {
  return volume.unscaled * 10n ** BigInt(6 - volume.scale);
}

test('each window of a gauge holds what the value of each of its moments adds up to', () => {
  fc.assert(
    fc.property(readings, staleness, fc.integer({ min: 1, max: 100 }), (given, stale, every) => {
      const length = BigInt(every) * SECOND;
      const windows = computeWindows(given, { ...RANGE, every: length, stalenessMicros: stale });
      const ordered = inOrder(given);
      for (let start = RANGE.from; start < RANGE.to; start += length) {
        const end = start + length < RANGE.to ? start + length : RANGE.to;
        const held = heldIn(ordered, stale, { start, end });
        const within = ordered.filter(({ at }) => at >= start && at < end);
        const window = windows.find((each) => each.start === start);
        assert.equal(window !== undefined, within.length > 0 || held.covered > 0n);
        if (window === undefined) continue;
        const { figures } = window;
        assert.equal(window.end, end);
        assert.equal(figures.count, within.length);
        assert.deepEqual(figures.integral, held.integral);
        assert.equal(figures.coveredMicros, held.covered);
        assert.equal(figures.expired, expiresIn(ordered, stale, { start, end }));
      }
    }),
    { numRuns: 300 },
  );
});

test('hours of a gauge add up to their whole, in whatever order the readings came', () => {
  fc.assert(
    fc.property(readings, staleness, fc.integer({ min: 1, max: 100 }), (given, stale, every) => {
      const whole = computeWindows(given, {
        ...RANGE,
        every: RANGE.to - RANGE.from,
        stalenessMicros: stale,
      });
      const parts = computeWindows([...given].reverse(), {
        ...RANGE,
        every: BigInt(every) * SECOND,
        stalenessMicros: stale,
      });
      assert.deepEqual(
        parts.reduce((sum, { figures }) => mergeFigures(sum, figures), EMPTY_FIGURES),
        whole[0]?.figures ?? EMPTY_FIGURES,
      );
    }),
    { numRuns: 300 },
  );
});

test('a range goes on from the carry of the one before it as from the readings themselves', () => {
  fc.assert(
    fc.property(readings, staleness, fc.integer({ min: 1, max: 99 }), (given, stale, split) => {
      const middle = RANGE.from + BigInt(split) * SECOND;
      const options = { ...RANGE, every: 10n * SECOND, stalenessMicros: stale, from: middle };
      const [before] = computeWindows(given, {
        ...RANGE,
        from: RANGE.from - 1_000n * SECOND,
        to: middle,
        every: 2_000n * SECOND,
        stalenessMicros: stale,
      });
      const carry = before === undefined ? null : carryAfter(before.figures, before.carry);
      const later = given.filter(({ at }) => at >= middle);
      assert.deepEqual(
        computeWindows(later, { ...options, carry }),
        computeWindows(given, options),
      );
    }),
    { numRuns: 300 },
  );
});

test('a window needs its carry, its readings, and those of the first time after them alone', () => {
  fc.assert(
    fc.property(readings, staleness, fc.integer({ min: 0, max: 9 }), (given, stale, nth) => {
      const every = 10n * SECOND;
      const from = RANGE.from + BigInt(nth) * every;
      const options = { ...RANGE, every, stalenessMicros: stale };
      // From before the first reading that there may be.
      const windows = computeWindows(given, { ...options, from: RANGE.from - 100n * SECOND });
      const whole = windows.find(({ start }) => start === from);
      const before = windows.findLast(({ start }) => start < from);
      const carry = before === undefined ? null : carryAfter(before.figures, before.carry);
      const after = inOrder(given).filter(({ at }) => at >= from + every);
      const enough = given.filter(({ at }) =>
        at >= from && (at < from + every || at === after[0]?.at)
      );
      const [window] = computeWindows(enough, { ...options, from, to: from + every, carry });
      assert.deepEqual(window, whole);
    }),
    { numRuns: 300 },
  );
});
