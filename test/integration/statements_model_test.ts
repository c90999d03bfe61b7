/** Statements and their amendments against a model that is so simple that it can be believed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { StatementDocument } from '../../ledger/statement_document.ts';
import {
  addQuantities,
  compareQuantities,
  divideQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from '../../meters/quantity.ts';
import type { MeterType } from '../../meters/sample.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import type { WindowReading } from '../../meters/window_reading.ts';
import { BillingWorld } from '../support/billing_world.ts';
import { heldIn, NOTHING } from '../support/naive_usage.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const BASE = toMicros('2026-09-20T00:00:00.000000Z');
const MINUTE = 60_000_000n;
const HOUR = 60n * MINUTE;
const DAY = 24n * HOUR;
/** Of WORLD_RULES. */
const STALENESS = HOUR;
/** Where a zone begins its day at half past: the period cuts two hours. */
const START = 3n * HOUR + 30n * MINUTE;
const END = 7n * HOUR + 30n * MINUTE;
const METERS: Record<MeterType, string> = {
  gauge: 'memory',
  delta: 'requests',
  cumulative: 'bytes',
};

/** A reading, and in which delivery it comes: 0 is in time. */
interface Told {
  type: MeterType;
  resource: number;
  minute: number;
  volume: number;
  delivery: number;
}

const told: fc.Arbitrary<Told> = fc.record({
  type: fc.constantFrom<MeterType>('gauge', 'delta', 'cumulative'),
  resource: fc.integer({ min: 0, max: 1 }),
  minute: fc.integer({ min: 0, max: 600 }),
  volume: fc.integer({ min: 0, max: 9 }),
  delivery: fc.integer({ min: 0, max: 3 }),
});
const history = fc.uniqueArray(told, {
  selector: ({ type, resource, minute }) => `${type} ${resource} ${minute}`,
  minLength: 1,
  maxLength: 40,
});

describe('statements', { skip: windowSkipReason() }, () => {
  let world: BillingWorld;
  let runs = 0;

  before(async () => {
    const windows = await WindowWorld.start(Number((BASE + 60n * DAY) / 1_000n), {
      from: '2026-09-01T00:00:00.000000Z',
      to: '2027-01-01T00:00:00.000000Z',
    });
    world = new BillingWorld(windows);
  });
  after(() => world.windows.stop());

  test('come to what truly happened, and their differences add up to it', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (readings) => {
        runs += 1;
        const day = BASE + BigInt(runs) * DAY;
        const project = `p-${runs}`;
        const documents = await statementsOf(project, day, readings);
        const [first] = documents;
        const last = documents.at(-1);
        assert.ok(first !== undefined && last !== undefined);
        assert.deepEqual(quantitiesOf(last), naive(project, day, readings));
        const sums = new Map(Object.entries(quantitiesOf(first)));
        for (const { lines } of documents.slice(1)) {
          for (const { meter, resource_id, difference } of lines) {
            const key = `${meter} ${resource_id}`;
            const sum = addQuantities(
              parseQuantity(sums.get(key) ?? '0'),
              parseQuantity(difference ?? '0'),
            );
            sums.set(key, formatQuantity(sum));
          }
        }
        assert.deepEqual(withoutZeros(Object.fromEntries(sums)), quantitiesOf(last));
      }),
      // Each run is a day of its own, sealed and revised.
      { numRuns: 'Deno' in globalThis ? 4 : 8, endOnFailure: true },
    );
  });

  async function statementsOf(
    project: string,
    day: bigint,
    readings: readonly Told[],
  ): Promise<StatementDocument[]> {
    const period = formatMicros(day).slice(0, 10);
    const samples = (delivery: number) =>
      readings.filter((one) => one.delivery === delivery).map((one) => sampleOf(project, day, one));
    await world.windows.append([anchorOf(day), ...samples(0)]);
    await world.seal(formatMicros(day + 12n * HOUR));
    await world.open({
      projectId: project,
      period,
      zone: 'Asia/Kolkata',
      start: formatMicros(day + START),
      end: formatMicros(day + END),
    });
    const documents: StatementDocument[] = [];
    for (let delivery = 0; delivery <= 3; delivery += 1) {
      if (delivery > 0) await world.windows.append(samples(delivery));
      await world.seal(formatMicros(day + 12n * HOUR));
      const number = documents.length;
      const closed = await world.close(await world.order({ project_id: project, period, number }));
      if (closed !== null) documents.push(await world.document(project, period, number));
    }
    return documents;
  }
});

/** Somebody else's, so that there is something to be sealed from the first hour on. */
function anchorOf(day: bigint): WorldSample {
  const at = formatMicros(day);
  return {
    origin: `a-${at}`,
    meter: 'x',
    type: 'delta',
    resource: 'x',
    project: null,
    at,
    volume: '1',
  };
}

function sampleOf(project: string, day: bigint, reading: Told): WorldSample {
  const { type, resource, minute, volume } = reading;
  return {
    origin: `${project}-${type}-${resource}-${minute}`,
    meter: METERS[type],
    type,
    resource: `vm-${resource}`,
    project,
    at: formatMicros(day + BigInt(minute) * MINUTE),
    volume: String(volume),
  };
}

/** Quantities by meter and resource; nothing of what came to nothing. */
function quantitiesOf({ lines }: StatementDocument): Record<string, string> {
  return withoutZeros(Object.fromEntries(
    lines.map(({ meter, resource_id, quantity }) => [`${meter} ${resource_id}`, quantity]),
  ));
}

/** A line that came to nothing, and comes late, is no news. */
function withoutZeros(quantities: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(quantities).filter(([, quantity]) => quantity !== '0'));
}

function naive(project: string, day: bigint, readings: readonly Told[]): Record<string, string> {
  const span = { start: day + START, end: day + END };
  const quantities: Record<string, string> = {};
  for (const type of ['cumulative', 'gauge', 'delta'] as const) {
    for (const resource of [0, 1]) {
      const own = readings.filter((one) => one.type === type && one.resource === resource)
        .map((one) => readingOf(sampleOf(project, day, one)))
        .sort((a, b) => a.at < b.at ? -1 : 1);
      const within = own.filter(({ at }) => at >= span.start && at < span.end);
      const held = type === 'gauge' ? heldIn(own, STALENESS, span) : null;
      // A line is there as soon as anything is in the period.
      if (within.length === 0 && (held === null || held.covered === 0n)) continue;
      const quantity = held !== null
        ? divideQuantities(held.integral, parseQuantity('3600'), 12)
        : type === 'delta'
        ? within.map(({ volume }) => volume).reduce(addQuantities, NOTHING)
        : grown(own, span.start, span.end);
      quantities[`${METERS[type]} vm-${resource}`] = formatQuantity(quantity);
    }
  }
  return withoutZeros(quantities);
}

/** Step by step: what fell to half or less began again, what fell by less went back. */
function grown(readings: readonly WindowReading[], start: bigint, end: bigint): Quantity {
  let sum = NOTHING;
  readings.forEach(({ at, volume }, index) => {
    const before = readings[index - 1]?.volume;
    if (before === undefined || at < start || at >= end) return;
    const step = subtractQuantities(volume, before);
    if (step.unscaled >= 0n) sum = addQuantities(sum, step);
    else if (compareQuantities(addQuantities(volume, volume), before) <= 0) {
      sum = addQuantities(sum, volume);
    }
  });
  return sum;
}

function readingOf({ origin, at, volume }: WorldSample): WindowReading {
  return {
    id: origin,
    at: toMicros(at),
    volume: parseQuantity(volume),
    ends: false,
    since: null,
    until: null,
  };
}
