import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NephoOutputs } from '../../client/client.ts';
import { verifyWindow } from '../../client/verify.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { createSigner } from '../../ledger/signer.ts';
import { parseWindow } from '../../ledger/window_record.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { sealLogs } from '../support/seal_logs.ts';
import { testKeyPem } from '../support/test_signer.ts';

type Window = NephoOutputs['windows']['list']['windows'][number];

const HOUR_MS = 3_600_000;
const THIS_HOUR = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
const FIRST = THIS_HOUR - 6 * HOUR_MS;
const PROJECTS = ['alpha', 'beta'];
const KEY = testKeyPem(7);

for (const database of DATABASES) {
  describe(`windows on ${database.name}`, { skip: database.skip || natsSkipReason() }, () => {
    let nats: NatsServer;
    let server: { url: string; stop(): Promise<void> };
    let system: ApiSystem;

    before(async () => {
      nats = await startNats();
      server = await database.start();
      system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
      await system.send(Array.from({ length: 24 }, (_, n) =>
        imageUpload({
          messageId: `message-${n}`,
          imageId: `image-${n % 8}`,
          projectId: PROJECTS[n % 2] ?? '',
          size: n,
          atMs: FIRST + n * 600_000,
        })));
      await system.ingest();
      await sealLogs(system.db.pool, {
        shards: 2,
        signingKey: KEY,
        rules: await loadUsageRules(),
        until: formatMillis(THIS_HOUR - HOUR_MS),
      });
    });

    after(async () => {
      await system.stop();
      await server.stop();
      await nats.stop();
    });

    async function allWindows(filters: object = {}): Promise<Window[]> {
      const windows: Window[] = [];
      let cursor: string | null = null;
      do {
        const page: NephoOutputs['windows']['list'] = await system.operator.windows.list.query({
          limit: 17,
          ...filters,
          ...cursor === null ? {} : { cursor },
        });
        windows.push(...page.windows);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return windows;
    }

    test('windows.list gives each window once over its pages, and what filters ask for', async () => {
      const all = await allWindows();
      assert.ok(all.length > 40);
      assert.equal(new Set(all.map(({ series, start }) => series + start)).size, all.length);
      assert.deepEqual(all.map(({ start }) => start), all.map(({ start }) => start).toSorted());
      const uploads = await allWindows({ meter: 'image.upload', project_id: 'alpha' });
      assert.deepEqual(
        uploads,
        all.filter((one) => one.meter === 'image.upload' && one.project_id === 'alpha'),
      );
      const hour = { from: formatMillis(FIRST + HOUR_MS), to: formatMillis(FIRST + 2 * HOUR_MS) };
      assert.deepEqual(await allWindows(hour), all.filter(({ start }) => start === hour.from));
      const total = (windows: Window[]) =>
        windows.filter(({ meter }) => meter === 'image.size').reduce(
          (sum, one) => sum + one.count,
          0,
        );
      assert.equal(total(all), 24);
    });

    test('proofs.window gives what verifyWindow accepts by the public key alone', async () => {
      const windows = await allWindows({ meter: 'image.size' });
      const vkeys = [createSigner(TEST_DEPLOYMENT, KEY).vkey];
      for (const { series, start, entry, quantity } of windows.slice(0, 6)) {
        const { bundle, revision } = await system.operator.proofs.window.query({ series, start });
        assert.equal(revision, 0);
        const result = await verifyWindow(bundle, { vkeys });
        assert.ok(result.ok, JSON.stringify(result));
        const record = parseWindow(JSON.parse(bundle).window);
        assert.equal(record.start, start);
        const { revisions } = await system.operator.windows.get.query({ series, start });
        assert.deepEqual(revisions.map((one) => [one.quantity, one.entry]), [[quantity, entry]]);
        assert.equal(entry.kind, 'seal');
      }
    });

    test('a project has proofs of its own windows alone; others are like none', async () => {
      const [own] = await allWindows({ project_id: 'alpha', meter: 'image.size' });
      const [others] = await allWindows({ project_id: 'beta', meter: 'image.size' });
      assert.ok(own !== undefined && others !== undefined);
      const alpha = system.client(await system.projectToken('alpha'));
      const name = ({ series, start }: Window) => ({ series, start });
      const { bundle } = await alpha.proofs.window.query(name(own));
      const vkeys = [createSigner(TEST_DEPLOYMENT, KEY).vkey];
      assert.equal((await verifyWindow(bundle, { vkeys })).ok, true);
      const seen = await alpha.windows.list.query({ limit: 1_000 });
      assert.ok(seen.windows.every(({ project_id }) => project_id === 'alpha'));
      for (const missing of [name(others), { ...name(own), series: '0'.repeat(32) }]) {
        await assert.rejects(alpha.proofs.window.query(missing), /Cannot find a sealed window/);
        await assert.rejects(alpha.windows.get.query(missing), /Cannot find a sealed window/);
      }
    });

    test('usage adds windows and open hours up, and says what is not sealed', async () => {
      const query = {
        meters: ['image.upload', 'image.size'],
        from: formatMillis(FIRST),
        to: formatMillis(THIS_HOUR),
        group_by: ['project_id'],
      };
      const { usage, contains_unsealed, sealed_until, open_gaps } = await system.operator.usage
        .query
        .query(query);
      assert.deepEqual(
        usage.map(({ meter, group, count }) => [meter, group['project_id'], count]),
        [
          ['image.size', 'alpha', 12],
          ['image.size', 'beta', 12],
          ['image.upload', 'alpha', 12],
          ['image.upload', 'beta', 12],
        ],
      );
      assert.ok(usage.every(({ sealed }) => !sealed));
      assert.deepEqual(
        [contains_unsealed, sealed_until, open_gaps],
        [true, formatMillis(THIS_HOUR - HOUR_MS), { count: 0, gaps: [] }],
      );
      const sealed = await system.operator.usage.query.query({
        ...query,
        to: formatMillis(THIS_HOUR - HOUR_MS),
        every: 'hour',
        percentiles: [50],
      });
      const windows = await allWindows();
      for (const row of sealed.usage) {
        assert.equal(row.sealed, true);
        const hour = windows.filter(({ meter, start, project_id }) =>
          meter === row.meter && start === row.start && project_id === row.group['project_id']
        );
        assert.equal(hour.reduce((sum, { count }) => sum + count, 0), row.count);
      }
    });

    test('open gaps are told of where they are: to a project its own, and those of nobody known', async () => {
      const { pool } = system.db;
      const { rows: [cycle] } = await pool.query<{ cycle_id: bigint }>(
        `INSERT INTO poll_cycles (cloud, source, group_no, cycle, log_id)
         VALUES ('c', 'images', 0, $1, 0) RETURNING cycle_id`,
        [formatMillis(FIRST + HOUR_MS)],
      );
      const gap = async (unit: string | null, repaired: boolean): Promise<void> => {
        await pool.query(
          `INSERT INTO poll_gaps (gap_key, cycle_id, pollster, unit, units, meters, cumulative, reason,
             detail, recorded_at, repaired_at)
           VALUES (gen_random_uuid(), $1, 'images', $2, 1, '{image.size}', false, 'cloud_away', 'secret',
             $3, $4)`,
          [cycle?.cycle_id, unit, formatMillis(FIRST), repaired ? formatMillis(THIS_HOUR) : null],
        );
      };
      for (const unit of ['image-0', 'image-1', null]) await gap(unit, false);
      await gap('image-2', true);
      const question = {
        meter: 'image.size',
        from: formatMillis(FIRST),
        to: formatMillis(THIS_HOUR),
      };
      const unitsOf = async (client: typeof system.operator, more: object = {}) => {
        const { open_gaps } = await client.usage.query.query({ ...question, ...more });
        assert.equal(JSON.stringify(open_gaps).includes('secret'), false);
        return open_gaps.gaps.map(({ resource_id }) => resource_id ?? 'unknown').sort();
      };
      assert.deepEqual(await unitsOf(system.operator), ['image-0', 'image-1', 'unknown']);
      const alpha = system.client(await system.projectToken('alpha'));
      assert.deepEqual(await unitsOf(alpha), ['image-0', 'unknown']);
      assert.deepEqual(await unitsOf(system.operator, { meter: 'image.upload' }), []);
      const past = { as_of: { instant: formatMillis(FIRST - 1) } };
      assert.deepEqual(await unitsOf(system.operator, past), []);
    });

    test('windows as of a time before they were sealed are not there', async () => {
      const { windows } = await system.operator.windows.list.query({
        as_of: { instant: formatMillis(FIRST) },
      });
      assert.deepEqual(windows, []);
    });
  });
}
