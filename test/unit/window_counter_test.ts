/** Counters and deltas in windows, against a counter that is simulated increment by increment. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { parseQuantity } from '../../meters/quantity.ts';
import { usageQuantity } from '../../meters/usage_quantity.ts';
import { type ComputedWindow, computeWindows } from '../../meters/window_compute.ts';
import {
  carryAfter,
  EMPTY_FIGURES,
  mergeFigures,
  type WindowFigures,
} from '../../meters/window_figures.ts';
import type { WindowReading } from '../../meters/window_reading.ts';

const SECOND = 1_000_000n;
const RANGE = { from: 0n, to: 100n * SECOND, stalenessMicros: SECOND, carry: null } as const;

function readingAt(seconds: number, volume: string | bigint): WindowReading {
  return {
    at: BigInt(seconds) * SECOND,
    volume: parseQuantity(String(volume)),
    id: `${seconds}/${volume}`,
    ends: false,
    since: null,
  };
}

function total(windows: readonly ComputedWindow[]): WindowFigures {
  return windows.reduce((sum, { figures }) => mergeFigures(sum, figures), EMPTY_FIGURES);
}

/** What happens to a counter at each of 100 seconds. */
type Happening = { grows: bigint; begins: boolean; read: boolean };
const happening: fc.Arbitrary<Happening> = fc.record({
  grows: fc.bigInt({ min: 0n, max: 1_000n }),
  begins: fc.integer({ min: 0, max: 19 }).map((die) => die === 0),
  read: fc.boolean(),
});
const history = fc.array(happening, { minLength: 100, maxLength: 100 });

/**
 * Runs a counter, and counts itself what a reader of it could know: everything between two readings if it
 * did not begin again, else what came after it last began. Unknown is what came before the first reading,
 * or between the last reading and a beginning.
 */
function simulate(history: readonly Happening[]) {
  let counter = 0n;
  let unread = 0n;
  let known = 0n;
  let begun = 0;
  let hasBegun = false;
  let last: bigint | null = null;
  const readings: WindowReading[] = [];
  const growthAt = new Map<number, bigint>();
  history.forEach(({ grows, begins, read }, second) => {
    // Where what is read is more than half of the last reading, nobody could tell a beginning.
    if (begins && last !== null) {
      [counter, unread, hasBegun] = [0n, 0n, true];
    }
    counter += grows;
    unread += grows;
    if (!read) return;
    if (hasBegun && last !== null && 2n * counter > last) {
      counter = last / 2n;
      unread = counter;
    }
    if (last !== null) {
      growthAt.set(second, unread);
      known += unread;
      // An empty counter that begins again has not changed.
      if (hasBegun && counter < last) begun += 1;
    }
    [last, unread, hasBegun] = [counter, 0n, false];
    readings.push(readingAt(second, counter));
  });
  return { readings, known, begun, growthAt };
}

test('the hours of a counter add up to what it grew by, however often it began again', () => {
  fc.assert(
    fc.property(
      history,
      fc.integer({ min: 1, max: 100 }),
      fc.infiniteStream(fc.integer()),
      (happenings, every, shuffle) => {
        const { readings, known, begun, growthAt } = simulate(happenings);
        const keyed = readings.map((reading) => ({ reading, key: shuffle.next().value }));
        const arrived = keyed.sort((a, b) => a.key - b.key).map(({ reading }) => reading);
        const windows = computeWindows(arrived, {
          ...RANGE,
          type: 'cumulative',
          every: BigInt(every) * SECOND,
        });
        const { increase, resets, stepsBack } = total(windows);
        assert.deepEqual(increase, parseQuantity(String(known)));
        assert.equal(resets, begun);
        assert.equal(stepsBack, 0);
        for (const { start, end, figures } of windows) {
          const grown = [...growthAt]
            .filter(([second]) => second >= start / SECOND && second < end / SECOND)
            .reduce((sum, [, growth]) => sum + growth, 0n);
          assert.deepEqual(figures.increase, parseQuantity(String(grown)), 'to the later reading');
        }
      },
    ),
    { numRuns: 80 },
  );
});

const anyReading = fc.record({
  seconds: fc.integer({ min: -20, max: 120 }),
  volume: fc.constantFrom('0', '1', '2', '3.5', '10', '-1', '9999999999999999999999.000001'),
}).map(({ seconds, volume }) => readingAt(seconds, volume));
const anyReadings = fc.uniqueArray(anyReading, { maxLength: 12, selector: ({ id }) => id });
const type = fc.constantFrom('delta' as const, 'cumulative' as const);

test('any parts of a range, each going on from the one before, merge to the whole', () => {
  fc.assert(
    fc.property(
      anyReadings,
      type,
      fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 5 }),
      (readings, type, cuts) => {
        const edges = [...new Set([0, ...cuts, 100])].sort((a, b) => a - b);
        const every = RANGE.to;
        const earlier = computeWindows(readings, {
          ...RANGE,
          type,
          every,
          from: -1_000n * SECOND,
          to: 0n,
        })[0];
        let carry = earlier === undefined ? null : carryAfter(earlier.figures, earlier.carry);
        let sum = EMPTY_FIGURES;
        edges.slice(1).forEach((end, index) => {
          const from = BigInt(edges[index] ?? 0) * SECOND;
          const to = BigInt(end) * SECOND;
          const within = readings.filter(({ at }) => at >= from && at < to);
          const [part] = computeWindows(within, { ...RANGE, type, every, from, to, carry });
          if (part === undefined) return;
          sum = mergeFigures(sum, part.figures);
          carry = carryAfter(part.figures, part.carry);
        });
        assert.deepEqual(sum, total(computeWindows(readings, { ...RANGE, type, every })));
      },
    ),
    { numRuns: 200 },
  );
});

test('merging is associative, and nothing merged in changes nothing', () => {
  fc.assert(
    fc.property(anyReadings, anyReadings, anyReadings, type, (a, b, c, type) => {
      const [x, y, z] = [a, b, c].map((readings, index) =>
        total(computeWindows(readings, {
          ...RANGE,
          type,
          every: 7n * SECOND,
          from: BigInt(index) * 40n * SECOND,
          to: BigInt(index + 1) * 40n * SECOND,
        }))
      );
      assert.ok(x !== undefined && y !== undefined && z !== undefined);
      assert.deepEqual(mergeFigures(mergeFigures(x, y), z), mergeFigures(x, mergeFigures(y, z)));
      assert.deepEqual(mergeFigures(EMPTY_FIGURES, x), x);
      assert.deepEqual(mergeFigures(x, EMPTY_FIGURES), x);
    }),
    { numRuns: 100 },
  );
});

test('a delta is summed exactly, also where doubles would not be', () => {
  const readings = ['0.1', '0.2', '9007199254740993'].map((volume, i) => readingAt(i, volume));
  const sum = total(computeWindows(readings, { ...RANGE, type: 'delta', every: SECOND }));
  assert.deepEqual(usageQuantity('delta', sum).quantity, parseQuantity('9007199254740993.3'));
});

test('a counter that falls to half or less began again, and one that falls by less only stepped back', () => {
  const cases: [string, string, string, number, number][] = [
    ['100', '50', '50', 1, 0],
    ['100', '51', '0', 0, 1],
    ['100', '0', '0', 1, 0],
    ['100', '100', '0', 0, 0],
    ['100', '100.5', '0.5', 0, 0],
    // Below zero no counter grows: neither is a beginning.
    ['100', '-1', '0', 0, 1],
    ['-1', '-10', '0', 0, 1],
    ['-5', '5', '10', 0, 0],
  ];
  for (const [before, after, increase, resets, stepsBack] of cases) {
    const readings = [readingAt(1, before), readingAt(2, after)];
    const sum = total(computeWindows(readings, { ...RANGE, type: 'cumulative', every: SECOND }));
    assert.deepEqual(sum.increase, parseQuantity(increase), `${before} to ${after}`);
    assert.deepEqual([sum.resets, sum.stepsBack], [resets, stepsBack], `${before} to ${after}`);
  }
});

test('the first reading of a counter ever counts nothing, the first of a range from its carry', () => {
  const options = { ...RANGE, type: 'cumulative', every: RANGE.to } as const;
  assert.deepEqual(
    total(computeWindows([readingAt(5, '70')], options)).increase,
    parseQuantity('0'),
  );
  const carry = { at: -90n * SECOND, volume: parseQuantity('40'), ended: false };
  const [window] = computeWindows([readingAt(5, '70')], { ...options, carry });
  assert.deepEqual(window?.figures.increase, parseQuantity('30'));
  assert.deepEqual(window?.carry, carry);
});

test('a reading before the range takes the place of an earlier carry', () => {
  const carry = { at: -90n * SECOND, volume: parseQuantity('40'), ended: false };
  const readings = [readingAt(-95, '1'), readingAt(-10, '60'), readingAt(5, '70')];
  const [window] = computeWindows(readings, {
    ...RANGE,
    type: 'cumulative',
    every: RANGE.to,
    carry,
  });
  assert.deepEqual(window?.figures.increase, parseQuantity('10'));
  assert.deepEqual(window?.carry?.at, -10n * SECOND);
});
