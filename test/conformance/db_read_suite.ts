import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { resolveAsOf } from '../../db/as_of.ts';
import { inTransaction } from '../../db/client.ts';
import { listMeters } from '../../db/meters.ts';
import { listResources } from '../../db/resources.ts';
import type { SampleFilters } from '../../db/sample_filters.ts';
import { listLogSamples, listSamples } from '../../db/sample_list.ts';
import { getSample, sampleAt } from '../../db/samples.ts';
import { statistics, STATISTICS_GROUPS } from '../../db/statistics.ts';
import { definitionsDigest } from '../../ledger/identity.ts';
import {
  addQuantities,
  divideQuantities,
  formatQuantity,
  parseQuantity,
} from '../../meters/quantity.ts';
import type { Sample } from '../../meters/sample.ts';
import { toMicros } from '../../meters/timestamp.ts';
import { DEFINITION_FILES, SOURCE } from '../support/written_log.ts';
import {
  allPages,
  BORDER,
  FIRST,
  groupBy,
  type LogSuite,
  matches,
  metadataOf,
  METERS,
  newestFirst,
  PROJECTS,
  PROPERTY,
  SAMPLES,
  SCOPES,
  wire,
} from './db_model.ts';

/** Samples, statistics, meters and resources. */
export function readSuite(suite: LogSuite): void {
  test('listSamples page by page equals the naive model, and shows no project another’s', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SCOPES),
        arbitraryFilters(),
        fc.constantFrom('newest' as const, 'oldest' as const),
        fc.integer({ min: 7, max: 400 }),
        async (scope, filters, order, limit) => {
          const found = await allPages((cursor) =>
            listSamples(suite.db.pool, scope, filters, { order, limit, cursor })
          );
          const newest = newestFirst(SAMPLES.filter(matches(scope, filters)));
          assert.deepEqual(wire(found), order === 'newest' ? newest : newest.toReversed());
        },
      ),
      PROPERTY,
    );
  });

  test('samples, statistics and resources are what was known at each checkpoint, and no more', async () => {
    const db = suite.db.pool;
    const { rows: everything } = await listSamples(db, 'all', {}, { limit: 1_000 });
    const signed = await db.query<{ origin: string; size: bigint }>(
      'SELECT origin, c.size FROM checkpoints c JOIN logs USING (log_id) ORDER BY c.size',
    );
    assert.ok(signed.rows.length > 5);
    for (const { origin, size } of signed.rows) {
      const known = await resolveAsOf(db, { checkpoints: [{ origin, size: Number(size) }] });
      const then = everything.filter(({ leafIndex }) => leafIndex < Number(size));
      const listed = await listSamples(db, 'all', { known }, { limit: 1_000 });
      assert.deepEqual(listed.rows, then);
      const counted = await statistics(db, 'all', { known }, { groupBy: ['meter'] });
      assert.equal(counted.reduce((sum, { count }) => sum + count, 0), then.length);
      for (const one of (await listResources(db, 'all', { known }, { limit: 1_000 })).rows) {
        const times = then.map(({ sample }) => sample)
          .filter(({ resource_id }) => resource_id === one.resourceId)
          .map(({ timestamp }) => timestamp).toSorted();
        assert.deepEqual([one.firstTimestamp, one.lastTimestamp], [times[0], times.at(-1)]);
      }
    }
    const nothing = await listSamples(db, 'all', { known: [] }, { limit: 1 });
    assert.deepEqual(nothing.rows, []);
  });

  test('listLogSamples follows the log and resumes without loss or repetition', async () => {
    for (const scope of SCOPES) {
      const seen: Sample[] = [];
      let from = 0;
      while (from < SAMPLES.length + 1) {
        const page = await listLogSamples(suite.db.pool, scope, { meter: METERS[1] }, {
          logId: 0,
          from,
          limit: 23,
        });
        assert.ok(page.nextLeaf > from);
        seen.push(...wire(page.rows));
        from = page.nextLeaf;
      }
      assert.deepEqual(seen, SAMPLES.filter(matches(scope, { meter: METERS[1] })));
    }
    const end = { logId: 0, from: SAMPLES.length + 1, limit: 10 };
    assert.deepEqual(await listLogSamples(suite.db.pool, 'all', {}, end), {
      rows: [],
      nextLeaf: SAMPLES.length + 1,
    });
  });

  test('metadata is searched by path and type, whatever else it holds', async () => {
    const find = async (metadata: SampleFilters['metadata']) =>
      new Set(
        (await allPages((cursor) =>
          listSamples(suite.db.pool, 'all', { metadata }, { limit: 1000, cursor })
        )).map(({ sample }) => sample.resource_id),
      );
    const where = (isWanted: (resource: number) => boolean) =>
      new Set(
        SAMPLES.map((sample) => sample.resource_id)
          .filter((id) => isWanted(Number(id.replace('resource-', '')))),
      );
    assert.deepEqual(await find({ host: 'compute-1' }), where((n) => n % 3 === 1));
    assert.deepEqual(await find({ 'flavor.name': 'm1.small' }), where((n) => n % 2 === 0));
    assert.deepEqual(await find({ 'state.description': 'none' }), where(() => true));
    assert.deepEqual(await find({ vcpus: 3 }), where((n) => n % 4 === 3));
    assert.deepEqual(await find({ vcpus: [1, 2] }), where((n) => [1, 2].includes(n % 4)));
    assert.deepEqual(await find({ vcpus: '3' }), new Set());
    assert.deepEqual(await find({ vcpus: 1, host: 'compute-0' }), where((n) => n % 12 === 9));
  });

  test('a cursor of another list, a forged one and a limit out of bounds are refused', async () => {
    const { nextCursor } = await listSamples(suite.db.pool, 'all', {}, { limit: 5 });
    for (
      const cursor of [nextCursor, 'x', '', Buffer.from('["meters"]').toString('base64url')]
    ) {
      await assert.rejects(listMeters(suite.db.pool, 'all', {}, { limit: 5, cursor }), {
        code: 'cursor_invalid',
      });
    }
    for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
      await assert.rejects(listSamples(suite.db.pool, 'all', {}, { limit }), {
        code: 'limit_invalid',
      });
    }
    await assert.rejects(listSamples(suite.db.pool, 'all', { from: 'today' }, { limit: 5 }), {
      code: 'timestamp_invalid',
    });
  });

  test('a sample is found by id, by id and time, and by leaf; by its own project alone', async () => {
    const sample = SAMPLES[200] as Sample;
    const found = await getSample(suite.db.pool, 'all', sample.id);
    assert.deepEqual(found?.sample, sample);
    assert.equal(found.leafIndex, 200);
    assert.equal(found.definitions, definitionsDigest(DEFINITION_FILES));
    const { timestamp } = sample;
    assert.deepEqual(await getSample(suite.db.pool, 'all', sample.id, { timestamp }), found);
    assert.deepEqual(await sampleAt(suite.db.pool, 'all', 0, 200), found);
    for (const one of SAMPLES.slice(0, 40)) {
      for (const projectId of ['p-1', 'p-2', 'p-9']) {
        const isOwn = one.project_id === projectId;
        assert.equal(await getSample(suite.db.pool, { projectId }, one.id) !== null, isOwn);
      }
    }
    assert.equal(await getSample(suite.db.pool, 'all', '0'.repeat(32)), null);
    assert.equal(await getSample(suite.db.pool, 'all', "x' OR true"), null);
    assert.equal(await sampleAt(suite.db.pool, 'all', 0, SAMPLES.length), null);
  });

  test('a search by id reads the Bloom filters, not the table', async () => {
    await inTransaction(suite.db.pool, async (tx) => {
      await tx.query('SET LOCAL enable_seqscan = off');
      const { rows } = await tx.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT * FROM samples WHERE id = '${SAMPLES[0]?.id}'`,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      assert.match(plan, /Bitmap Index Scan on samples_2026_11_id_idx/);
    });
  });

  test('statistics are those of the naive model, to the last digit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SCOPES),
        arbitraryFilters(),
        fc.subarray([...STATISTICS_GROUPS]),
        fc.constantFrom(undefined, 3_600, 86_400),
        async (scope, filters, columns, periodSeconds) => {
          const found = await statistics(suite.db.pool, scope, filters, {
            groupBy: columns,
            periodSeconds,
          });
          const chosen = SAMPLES.filter(matches(scope, filters));
          const start = filters.from ??
            chosen.reduce((min, { timestamp }) => timestamp < min ? timestamp : min, '9');
          const keyOf = (sample: Sample) =>
            JSON.stringify([
              STATISTICS_GROUPS.filter((column) => columns.includes(column))
                .map((column) => sample[column]),
              sample.type,
              sample.unit,
              periodSeconds === undefined ? null : String(
                (toMicros(sample.timestamp) - toMicros(start)) /
                  BigInt(periodSeconds * 1e6),
              ),
            ]);
          const groups = groupBy(chosen, keyOf);
          assert.equal(found.length, groups.size);
          assert.deepEqual(
            found.map((row) => [row.count, row.sum, row.avg, row.min, row.max]).map(String)
              .sort(),
            [...groups.values()].map(summary).map(String).sort(),
          );
        },
      ),
      PROPERTY,
    );
  });

  test('periods count from the start asked for; durations are between the samples', async () => {
    const filters = { meter: METERS[0], from: FIRST, to: BORDER };
    const rows = await statistics(suite.db.pool, 'all', filters, { periodSeconds: 86_400 });
    assert.deepEqual(rows.map((row) => [row.periodStart, row.periodEnd]), [
      [FIRST, '2026-10-31T00:00:00.000000Z'],
      ['2026-10-31T00:00:00.000000Z', BORDER],
    ]);
    for (const row of rows) {
      assert.ok(row.durationStart >= row.periodStart && row.durationEnd < row.periodEnd);
      assert.equal(
        row.duration,
        formatQuantity(
          parseQuantity(`${toMicros(row.durationEnd) - toMicros(row.durationStart)}e-6`),
        ),
      );
    }
    for (const periodSeconds of [0, -1, 1.5, 1e12]) {
      await assert.rejects(statistics(suite.db.pool, 'all', filters, { periodSeconds }), {
        code: 'period_invalid',
      });
    }
    assert.deepEqual(await statistics(suite.db.pool, { projectId: 'p-9' }, {}), []);
  });

  test('meters and resources are those of the samples in scope', async () => {
    for (const scope of SCOPES) {
      const own = SAMPLES.filter(matches(scope, {}));
      const meters = await allPages((cursor) =>
        listMeters(suite.db.pool, scope, {}, { limit: 2, cursor })
      );
      assert.deepEqual(
        meters.map(({ meter, resources }) => [meter, resources]),
        [...METERS].sort().map((meter) => [
          meter,
          new Set(own.filter((one) => one.meter === meter).map((one) => one.resource_id)).size,
        ]).filter(([, resources]) => resources !== 0),
      );
      for (const from of [undefined, BORDER]) {
        const resources = await allPages((cursor) =>
          listResources(suite.db.pool, scope, { from }, { limit: 3, cursor })
        );
        assert.deepEqual(
          resources,
          naiveResources(newestFirst(SAMPLES.filter(matches(scope, { from })))),
        );
      }
    }
  });
}

function arbitraryFilters(): fc.Arbitrary<SampleFilters> {
  const maybe = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
  const times = [FIRST, '2026-10-31T23:59:59.999999Z', BORDER, '2026-11-02T12:00:00.000000Z'];
  return fc.record({
    meter: maybe(...METERS, 'nothing'),
    resourceId: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, maybe('resource-3')),
    projectId: maybe(...PROJECTS),
    userId: maybe(null, 'user-2'),
    source: maybe(SOURCE),
    from: maybe(...times),
    to: maybe(...times, '2026-12-01T00:00:00.000000Z'),
  });
}

function summary(samples: readonly Sample[]): (string | number)[] {
  const volumes = samples.map((sample) => parseQuantity(sample.volume));
  const sum = volumes.reduce(addQuantities);
  const sorted = samples.map((sample) => sample.volume).sort((a, b) =>
    a.length - b.length || (a < b ? -1 : 1)
  );
  const avg = divideQuantities(sum, { unscaled: BigInt(samples.length), scale: 0 }, 12);
  return [
    samples.length,
    formatQuantity(sum),
    formatQuantity(avg),
    sorted[0] ?? '',
    sorted.at(-1) ?? '',
  ];
}

function naiveResources(newest: readonly Sample[]) {
  const byResource = groupBy(newest, (sample) => sample.resource_id);
  return [...byResource].sort(([a], [b]) => a < b ? -1 : 1).map(([resourceId, samples]) => {
    const last = samples[0] as Sample;
    return {
      resourceId,
      projectId: last.project_id,
      userId: last.user_id,
      source: last.source,
      meters: [...new Set(samples.map((sample) => sample.meter))].sort(),
      firstTimestamp: samples.at(-1)?.timestamp,
      lastTimestamp: last.timestamp,
      metadata: metadataOf(Number(resourceId.replace('resource-', ''))),
    };
  });
}
