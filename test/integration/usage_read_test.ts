import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import type { ApiDeps } from '../../api/deps.ts';
import { createContext } from '../../api/context.ts';
import { createCaller } from '../../api/root.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { isNephoError } from '../../meters/errors.ts';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
} from '../../meters/quantity.ts';
import type { MeterType } from '../../meters/sample.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import { usageQuantity } from '../../meters/usage_quantity.ts';
import { ruleOf } from '../../meters/usage_rules.ts';
import { computeWindows } from '../../meters/window_compute.ts';
import { EMPTY_FIGURES, mergeFigures } from '../../meters/window_figures.ts';
import type { WindowReading } from '../../meters/window_reading.ts';
import { calendarSpans, type CalendarUnit } from '../../meters/zone.ts';
import {
  windowSkipReason,
  WindowWorld,
  WORLD_RULES,
  type WorldSample,
} from '../support/window_world.ts';

const HOUR = 3_600_000_000n;
const FIRST = toMicros('2026-10-29T20:00:00.000000Z');
/** The first hours are sealed, over a day's and a month's end; the others are not. */
const SEALED_HOURS = 56n;
const ALL_HOURS = 60n;
const SEALED_UNTIL = FIRST + SEALED_HOURS * HOUR;
const END = FIRST + ALL_HOURS * HOUR;
const PROJECTS = ['alpha', 'beta', 'gamma'];

type Usage = Awaited<ReturnType<ReturnType<typeof createCaller>['usage']['query']>>;
type Query = Parameters<ReturnType<typeof createCaller>['usage']['query']>[0];

/** A number from 0 to 1 for each `n`, always the same. */
function noise(n: number): number {
  return (n * 0.618_033_988_749_895) % 1;
}

const KINDS: { meter: string; type: MeterType }[] = [
  { meter: 'volume.size', type: 'gauge' },
  { meter: 'instance', type: 'gauge' },
  { meter: 'network.incoming.bytes', type: 'cumulative' },
  { meter: 'image.download', type: 'delta' },
];

/** Twelve series with readings at odd moments, some with long silence, counters that begin again. */
function samplesOf(): WorldSample[] {
  return Array.from({ length: 12 }, (_, series) => {
    const { meter, type } = KINDS[series % KINDS.length] ?? { meter: '', type: 'gauge' };
    const count = 60;
    return Array.from({ length: count }, (_, n): WorldSample => {
      const at = FIRST + BigInt(Math.floor(noise(series * 97 + n * 13 + 1) * Number(END - FIRST)));
      const counter = n % 17 === 16 ? n : Number(at - FIRST) / 1e6;
      return {
        origin: `${series}@${n}`,
        meter,
        type,
        resource: `resource-${series}`,
        project: PROJECTS[series % PROJECTS.length] ?? null,
        at: formatMicros(at),
        volume: type === 'cumulative' ? counter.toFixed(3) : `${n % 5}.${series + 1}`,
        eventType: n === 40 ? 'compute.instance.delete.end' : 'compute.instance.exists',
        metadata: {
          flavor: { name: n < 30 ? 'm1.small' : 'm1.large' },
          launched_at: formatMicros(FIRST + 7n * HOUR),
        },
      };
    });
  }).flat();
}

const SAMPLES = samplesOf();
/** What came in time. */
const EARLY = SAMPLES.filter((_, index) => index % 3 > 0);
const whole = { from: formatMicros(FIRST), to: formatMicros(END), limit: 1_000 } as const;

/** What is asked for, from all readings at once and without windows. */
function naive(query: Query, all: readonly WorldSample[]): Map<string, string> {
  const every = query.every ?? null;
  const [from, to] = [toMicros(query.from), toMicros(query.to)];
  const spans = every === null
    ? [{ start: from, end: to }]
    : calendarSpans({ from, to, every, zone: query.zone ?? 'UTC' });
  const sums = new Map<string, { type: MeterType; figures: typeof EMPTY_FIGURES }>();
  for (const resource of new Set(all.map((one) => one.resource))) {
    const samples = all.filter((one) => one.resource === resource);
    const [{ meter, type, project }] = samples as [WorldSample];
    if (meter !== query.meter && query.meters?.includes(meter) !== true) continue;
    if (query.project_id !== undefined && query.project_id !== project) continue;
    const { stalenessMicros } = ruleOf(WORLD_RULES, meter);
    for (const { start, end } of spans) {
      const [window] = computeWindows(samples.map(readingOf), {
        type,
        from: start,
        to: end,
        every: end - start,
        stalenessMicros,
        carry: null,
      });
      if (window === undefined) continue;
      const group = (query.group_by ?? []).map((name) =>
        name === 'resource_id' ? resource : project
      );
      const key = [formatMicros(start), meter, ...group].join(' ');
      const known = sums.get(key)?.figures ?? EMPTY_FIGURES;
      sums.set(key, { type, figures: mergeFigures(known, window.figures) });
    }
  }
  return new Map([...sums].map(([key, { type, figures }]) => [
    key,
    [
      formatQuantity(usageQuantity(type, figures).quantity),
      figures.count,
      formatQuantity(figures.sum),
      formatQuantity(parseQuantity(`${figures.coveredMicros}e-6`)),
    ].join(' '),
  ]));
}

function readingOf(sample: WorldSample): WindowReading {
  const isInstance = sample.meter === 'instance';
  return {
    at: toMicros(sample.at),
    volume: parseQuantity(sample.volume),
    id: sample.origin,
    ends: isInstance && sample.eventType === 'compute.instance.delete.end',
    since: isInstance ? FIRST + 7n * HOUR : null,
    until: null,
  };
}

function rowsOf({ usage }: Usage, query: Query): Map<string, string> {
  return new Map(usage.map((row) => [
    [row.start, row.meter, ...(query.group_by ?? []).map((name) => row.group[name] ?? '')].join(
      ' ',
    ),
    [row.quantity, row.count, row.sum, row.covered].join(' '),
  ]));
}

describe('usage', { skip: windowSkipReason() }, () => {
  let world: WindowWorld;
  let db: Database;
  let caller: ReturnType<typeof createCaller>;
  /** When the first hours were sealed and nothing of them revised. */
  let asSealed: { checkpoints: { origin: string; size: number }[] };

  before(async () => {
    world = await WindowWorld.start(Date.parse('2026-11-01T08:30:00Z'), {
      from: '2026-10-01T00:00:00.000000Z',
      to: '2026-12-01T00:00:00.000000Z',
    });
    // The rest comes when its hours are sealed, and makes revisions of hours, days and months.
    await world.append(EARLY);
    const keeper = await world.begin();
    const { scanned_to: size } = await world.revise();
    await world.seal({ from: keeper?.sealedFrom ?? '', to: formatMicros(SEALED_UNTIL), size });
    db = createDatabase(world.url);
    caller = callerOf('operator');
    const sealed = await caller.usage.query({ ...whole, meter: 'instance' });
    asSealed = { checkpoints: sealed.checkpoints.map(({ origin, size }) => ({ origin, size })) };
    await world.append(SAMPLES);
    await noticesLateSamples();
    assert.ok((await world.revise()).windows > 50);
  });

  /** What came late is told of before a revision counts it. */
  async function noticesLateSamples(): Promise<void> {
    const query: Query = {
      ...whole,
      to: formatMicros(SEALED_UNTIL),
      meter: 'image.download',
      group_by: ['resource_id'],
    };
    const waiting = await caller.usage.query(query);
    assert.equal(waiting.contains_unsealed, true);
    for (const { sealed, flags } of waiting.usage) {
      assert.deepEqual([sealed, flags.includes('late_samples')], [false, true]);
    }
    assert.deepEqual(rowsOf(waiting, query), naive(query, EARLY));
    const before = await caller.usage.query({ ...query, as_of: asSealed });
    assert.equal(before.contains_unsealed, false);
  }

  after(async () => {
    await db.close();
    await world.stop();
  });

  function callerOf(project: string) {
    const deps = {
      db,
      usageRules: WORLD_RULES,
      registry: new Registry(),
      now: Date.now,
    } as Partial<ApiDeps> as ApiDeps;
    return createCaller(createContext(deps, {
      principal: project === 'operator'
        ? { role: 'operator', keyId: 'key-1' }
        : { role: 'project', keyId: 'key-2', projectId: project },
      requestId: 'test',
    }));
  }

  const instant = fc.integer({ min: 0, max: Number(END - FIRST) / 1e6 }).map((seconds) =>
    FIRST + BigInt(seconds) * 1_000_000n
  );
  const hour = fc.integer({ min: 0, max: Number(ALL_HOURS) }).map((n) => FIRST + BigInt(n) * HOUR);
  const arbitraryQuery = fc.record({
    ends: fc.tuple(fc.oneof(instant, hour), fc.oneof(instant, hour))
      .filter(([a, b]) => a !== b)
      .map((ends) => ends.sort((a, b) => a < b ? -1 : 1)),
    zone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Sao_Paulo'),
    every: fc.constantFrom<CalendarUnit | null>(null, null, 'hour', 'day', 'week', 'month'),
    group_by: fc.subarray(['project_id', 'resource_id']),
    meters: fc.subarray(KINDS.map(({ meter }) => meter), { minLength: 1 }),
  }).map(({ ends: [from, to], ...rest }): Query => ({
    ...rest,
    from: formatMicros(from ?? 0n),
    to: formatMicros(to ?? 0n),
    limit: 1_000,
  }));

  test('usage of any range, zone and grouping is what all readings come to, sealed or not', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryQuery, async (query) => {
        const answer = await caller.usage.query(query);
        assert.deepEqual(rowsOf(answer, query), naive(query, SAMPLES));
        const to = toMicros(query.to);
        assert.equal(answer.contains_unsealed, to > SEALED_UNTIL);
        for (const row of answer.usage) {
          assert.equal(row.sealed, toMicros(row.end) <= SEALED_UNTIL);
        }
      }),
      { numRuns: 150, seed: 5 },
    );
  });

  test('usage as of a checkpoint before the revisions is what the readings of then came to', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryQuery, async (query) => {
        const answer = await caller.usage.query({ ...query, as_of: asSealed });
        assert.deepEqual(rowsOf(answer, query), naive(query, EARLY));
      }),
      { numRuns: 100, seed: 6 },
    );
  });

  test('what is told apart by metadata adds up to what is not, under the values that held', async () => {
    for (const { meter } of KINDS) {
      for (const every of [null, 'day', 'hour'] as const) {
        const query = { ...whole, meter, every };
        const plain = await caller.usage.query(query);
        const parted = await caller.usage.query({
          ...query,
          group_by: ['metadata.flavor.name', 'metadata.nothing'],
        });
        const names = new Set(parted.usage.map(({ group }) => group['metadata.flavor.name']));
        assert.deepEqual(names, new Set(['m1.small', 'm1.large']), meter);
        assert.ok(parted.usage.every(({ group }) => group['metadata.nothing'] === null));
        const exact = ({ usage }: Usage) => {
          const sums = new Map<string, string[]>();
          for (const row of usage) {
            const before = sums.get(row.start) ?? ['0', '0', '0'];
            const figures = [row.unit_seconds ?? row.quantity, row.sum, row.covered];
            sums.set(row.start, figures.map((figure, index) => plus(figure, before[index] ?? '0')));
          }
          return sums;
        };
        assert.deepEqual(exact(parted), exact(plain), `${meter} ${every}`);
      }
    }
  });

  test('pages are made from the checkpoints of the first, and together are the whole', async () => {
    const query: Query = {
      ...whole,
      meters: KINDS.map(({ meter }) => meter),
      every: 'day',
      group_by: ['resource_id'],
    };
    const all = await caller.usage.query(query);
    const rows: Usage['usage'] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: Usage = await caller.usage.query({
        ...query,
        limit: 7,
        ...cursor === null ? {} : { cursor },
      });
      rows.push(...page.usage);
      cursor = page.next_cursor;
      if (pages === 0) await world.append([late(`between-pages-${rows.length}`)]);
      assert.deepEqual(page.checkpoints, all.checkpoints);
      pages += 1;
    } while (cursor !== null);
    assert.ok(pages > 3);
    assert.deepEqual(rows, all.usage);
  });

  /** Of an hour that is not sealed. */
  const late = (origin: string): WorldSample => ({
    origin,
    meter: 'image.download',
    type: 'delta',
    resource: 'resource-3',
    project: 'alpha',
    at: formatMicros(SEALED_UNTIL + HOUR),
    volume: '1000',
  });

  test('an answer names its checkpoints, and with them is given again whatever came since', async () => {
    const query: Query = { ...whole, meter: 'image.download', every: 'day' };
    const before = await caller.usage.query(query);
    await world.append([late('much-later')]);
    const now = await caller.usage.query(query);
    assert.notDeepEqual(now.usage, before.usage);
    const checkpoints = before.checkpoints.map(({ origin, size }) => ({ origin, size }));
    const again = await caller.usage.query({ ...query, as_of: { checkpoints } });
    assert.deepEqual(again, before);
    // Of a time at which nothing of the range was sealed or even known.
    const empty = await caller.usage.query({
      ...query,
      as_of: { instant: '2026-10-01T00:00:00Z' },
    });
    assert.deepEqual([empty.usage, empty.checkpoints, empty.sealed_until], [[], [], null]);
  });

  test('a project sees its own usage alone, whatever it asks for', async () => {
    const meters = KINDS.map(({ meter }) => meter);
    for (const project of PROJECTS) {
      const own = callerOf(project);
      const query = { ...whole, meters, group_by: ['project_id', 'resource_id'] };
      const { usage } = await own.usage.query(query);
      const all = await caller.usage.query(query);
      assert.deepEqual(usage, all.usage.filter(({ group }) => group['project_id'] === project));
      assert.ok(usage.length > 0);
      const other = PROJECTS.find((one) => one !== project) ?? '';
      assert.deepEqual((await own.usage.query({ ...query, project_id: other })).usage, []);
    }
  });

  test('spans without anything are left out or filled with zeros, as is asked for', async () => {
    const query: Query = {
      meter: 'volume.size',
      from: formatMicros(FIRST - 48n * HOUR),
      to: formatMicros(END),
      every: 'day',
      group_by: ['project_id'],
      limit: 1_000,
    };
    const days = calendarSpans({
      from: toMicros(query.from),
      to: toMicros(query.to),
      every: 'day',
      zone: 'UTC',
    });
    const none = await caller.usage.query(query);
    const zero = await caller.usage.query({ ...query, fill: 'zero' });
    assert.equal(zero.usage.length, days.length * new Set(none.usage.map(projectOf)).size);
    assert.deepEqual(
      zero.usage.filter(({ count, covered }) => count > 0 || covered !== '0'),
      none.usage,
    );
    const filled = zero.usage.find(({ count, covered }) => count === 0 && covered === '0');
    assert.deepEqual([filled?.quantity, filled?.avg, filled?.min], ['0', null, null]);
    const nothing = await caller.usage.query({ ...query, meter: 'no.such.meter', fill: 'zero' });
    assert.deepEqual(nothing.usage, []);
  });

  test('percentiles are values of samples, by group and span', async () => {
    const query: Query = {
      ...whole,
      meter: 'volume.size',
      every: 'day',
      group_by: ['project_id'],
      percentiles: [0, 50, 100],
    };
    const { usage } = await caller.usage.query(query);
    assert.ok(usage.length > 3);
    for (const { group, start, end, min, max, percentiles } of usage) {
      const volumes = SAMPLES.filter(({ meter, project, at }) =>
        meter === 'volume.size' && project === group['project_id'] && at >= start && at < end
      ).map(({ volume }) => parseQuantity(volume)).sort(compareQuantities);
      const middle = volumes[Math.ceil(volumes.length / 2) - 1];
      if (middle === undefined) assert.deepEqual(percentiles, {});
      else assert.deepEqual(percentiles, { 0: min, 50: formatQuantity(middle), 100: max });
    }
    const byMetadata = caller.usage.query({ ...query, group_by: ['metadata.flavor.name'] });
    await assert.rejects(byMetadata, /Cannot give percentiles by metadata/);
  });

  test('a meter of two units, or of two types, gives rows apart that say so', async () => {
    const odd = (origin: string, type: MeterType): WorldSample => ({
      origin,
      meter: 'odd.meter',
      type,
      resource: 'odd',
      project: 'alpha',
      at: formatMicros(SEALED_UNTIL + HOUR),
      volume: '1',
    });
    await world.append([odd('odd-1', 'gauge'), odd('odd-2', 'delta')]);
    const { usage } = await caller.usage.query({ ...whole, meter: 'odd.meter' });
    assert.deepEqual(
      usage.map(({ type, unit, quantity, flags }) => [type, unit, quantity, flags]),
      [
        ['delta', 'B', '1', ['unit_conflict', 'type_conflict']],
        ['gauge', 'GiB', '1', ['unit_conflict', 'type_conflict', 'expired']],
      ],
    );
  });

  test('what cannot be asked for is told by its code', async () => {
    const query: Query = { ...whole, meter: 'volume.size' };
    const future = new Date(Date.now() + 3_600_000).toISOString();
    const first = await caller.usage.query({ ...query, every: 'hour', limit: 1 });
    const [checkpoint] = first.checkpoints;
    const refused: [string, Partial<Query>][] = [
      ['range_invalid', { from: query.to, to: query.from }],
      ['range_invalid', { to: query.from }],
      ['range_too_large', { from: '0001-01-01T00:00:00Z', to: '2020-01-01T00:00:00Z' }],
      ['range_too_large', { from: '2000-01-01T00:00:00Z', every: 'hour' }],
      ['zone_unknown', { zone: 'Europe/Nowhere' }],
      ['zone_unknown', { zone: '../etc/passwd', every: 'day' }],
      ['group_unknown', { group_by: ['colour'] }],
      ['group_unknown', { group_by: ['metadata.'] }],
      ['as_of_in_future', { as_of: { instant: future } }],
      ['as_of_unknown', { as_of: { checkpoints: [{ origin: 'nobody/log/0', size: 1 }] } }],
      ['as_of_unknown', {
        as_of: { checkpoints: [{ origin: checkpoint?.origin ?? '', size: 10 ** 9 }] },
      }],
      ['cursor_of_another_query', { cursor: first.next_cursor ?? '' }],
      ['cursor_invalid', { cursor: 'AAAA' }],
    ];
    for (const [code, changes] of refused) {
      await assert.rejects(caller.usage.query({ ...query, ...changes }), (error: Error) => {
        assert.ok(isNephoError(error.cause), String(error));
        assert.equal(error.cause.code, code, `${code}: ${error.message}`);
        return true;
      });
    }
  });
});

function projectOf({ group }: Usage['usage'][number]): string | null | undefined {
  return group['project_id'];
}

function plus(left: string, right: string): string {
  return formatQuantity(addQuantities(parseQuantity(left), parseQuantity(right)));
}
