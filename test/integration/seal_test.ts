import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { brokenInvariants } from '../../db/invariants.ts';
import { readWindowKeeper } from '../../db/window_keepers.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { MAX_CHANGES, type RevisionEntry } from '../../ledger/revision_entry.ts';
import { gapKey, type SealEntry } from '../../ledger/seal_entry.ts';
import { sha256Hex } from '../../ledger/sha256.ts';
import { usageRulesOf } from '../../meters/usage_rules.ts';
import { DATABASES } from '../support/api_databases.ts';
import { WindowWorld, WORLD_RULES, type WorldSample } from '../support/window_world.ts';

const DAY = '2026-10-05';
const NOW = Date.parse(`${DAY}T23:30:00Z`);
const SPAN = { from: '2026-09-01T00:00:00.000000Z', to: '2026-11-01T00:00:00.000000Z' };

function at(clock: string): string {
  return `${DAY}T${clock}:00.000000Z`;
}

function gauge(resource: string, clock: string, volume = '1'): WorldSample {
  return {
    origin: `${resource}@${clock}`,
    meter: 'memory',
    type: 'gauge',
    resource,
    project: `p-${resource.slice(-1)}`,
    at: at(clock),
    volume,
  };
}

// One story, in order: each test goes on from what the one before left.
for (const database of DATABASES) {
  describe(`sealing and revising on ${database.name}`, { skip: database.skip }, () => {
    let server: { url: string; stop(): Promise<void> };
    let world: WindowWorld;

    before(async () => {
      server = await database.start();
      world = await WindowWorld.on(server.url, NOW, { span: SPAN });
    });

    after(async () => {
      await world?.stop();
      await server?.stop();
    });

    /** Beyond 2,000 they are several transactions; PGlite takes its time. */
    const late = database.name === 'PGlite' ? 300 : 3_000;

    const entries = async <Kind extends 'seal' | 'revision' | 'usage_rules'>(kind: Kind) => {
      const { rows } = await world.pool.query<{ entry: string }>(
        'SELECT entry FROM records WHERE kind = $1 ORDER BY position',
        [kind],
      );
      return rows.map(({ entry }) => parseEntry(entry)) as Extract<
        ReturnType<typeof parseEntry>,
        { kind: Kind }
      >[];
    };

    async function sealUntil(until: string): Promise<void> {
      const { scanned_to: size } = await world.revise();
      const from = (await world.begin())?.sealedUntil ?? until;
      await world.seal({ from, to: until, size });
    }

    test('an hour is sealed with its windows, and one with nothing as well', async () => {
      await world.append([
        gauge('vm-1', '08:10', '2'),
        gauge('vm-1', '08:40', '4'),
        gauge('vm-2', '08:50', '1'),
      ]);
      const keeper = await world.begin();
      assert.deepEqual(
        [keeper?.sealedFrom, keeper?.sealedUntil, keeper?.scannedTo],
        [at('08:00'), at('08:00'), 0],
      );
      const { scanned_to: size } = await world.revise();
      const receipt = await world.seal({ from: at('08:00'), to: at('11:00'), size });
      assert.deepEqual(receipt, { shard: 0, hours: 3, windows: 4, sealed_until: at('11:00') });
      const { rows } = await world.pool.query(
        `SELECT substr(start::text, 12, 5) AS hour, resource_id AS vm, count, integral, covered, expired
         FROM windows JOIN series USING (series_id) ORDER BY 1, 2`,
      );
      assert.deepEqual(rows, [
        // 30 minutes of 2 and 20 minutes of 4; 10 minutes of 1.
        { hour: '08:00', vm: 'vm-1', count: 2, integral: '8400', covered: '3000', expired: false },
        { hour: '08:00', vm: 'vm-2', count: 1, integral: '600', covered: '600', expired: false },
        { hour: '09:00', vm: 'vm-1', count: 0, integral: '9600', covered: '2400', expired: true },
        { hour: '09:00', vm: 'vm-2', count: 0, integral: '3000', covered: '3000', expired: true },
      ]);
      assert.deepEqual((await entries('seal')).map(({ start, rows }) => [start, rows]), [
        [at('08:00'), 2],
        [at('09:00'), 2],
        [at('10:00'), 0],
      ]);
    });

    test('seals follow each other, and name the rules that stand before them', async () => {
      const seals = await entries('seal');
      const leaves = await world.pool.query<{ position: bigint }>(
        'SELECT position FROM seals ORDER BY start',
      );
      assert.deepEqual(
        seals.map(({ previous }) => previous),
        [null, ...leaves.rows.slice(0, -1).map(({ position }) => Number(position))],
      );
      const rules = await entries('usage_rules');
      assert.equal(rules.length, 1);
      assert.ok(seals.every((seal) => seal.rules === rules[0]?.digest));
      assert.deepEqual(seals.map(({ definitions }) => definitions.length), [1, 0, 0]);
    });

    test('sealing again changes nothing, and nobody seals at another size', async () => {
      const size = (await readWindowKeeper(world.pool, 0))?.scannedTo ?? 0;
      const again = await world.seal({ from: at('08:00'), to: at('11:00'), size });
      assert.deepEqual([again.hours, again.sealed_until], [0, at('11:00')]);
      for (const [from, wrong] of [[at('11:00'), size + 1], [at('12:00'), size]] as const) {
        await assert.rejects(world.seal({ from, to: at('13:00'), size: wrong }), {
          code: 'seal_out_of_step',
        });
      }
      assert.equal((await entries('seal')).length, 3);
    });

    test('a sample of the time before the first hour makes a revision of an empty window', async () => {
      await world.append([gauge('vm-1', '05:30', '8')]);
      const receipt = await world.revise();
      assert.deepEqual([receipt.samples, receipt.windows, receipt.entries], [1, 3, 1]);
      const [revision] = await entries('revision');
      assert.deepEqual(
        revision?.changes.map((
          { start, before, quantity_after },
        ) => [start, before, quantity_after])
          .slice(0, 2),
        [[at('05:00'), null, '4'], [at('06:00'), null, '4']],
      );
      // The hour that it is the last reading before says so.
      assert.equal(revision?.changes[2]?.start, at('08:00'));
      assert.equal(revision?.changes[2]?.quantity_before, revision?.changes[2]?.quantity_after);
    });

    test('thousands of late samples become entries of one project each, bounded', async () => {
      const before = (await entries('revision')).length;
      const samples = Array.from({ length: late }, (_, n) => gauge(`late-${n}`, '08:59'));
      for (let from = 0; from < samples.length; from += 600) {
        await world.append(samples.slice(from, from + 600));
      }
      const receipt = await world.revise();
      assert.deepEqual([receipt.samples, receipt.windows], [late, 2 * late]);
      const revisions = (await entries('revision')).slice(before);
      assert.equal(revisions.length, receipt.entries);
      const changes = revisions.flatMap((revision) => revision.changes);
      assert.equal(changes.length, 2 * late);
      assert.ok(revisions.every((revision) => revision.changes.length <= MAX_CHANGES));
      assert.equal(projectsOf(revisions), 10);
      // Each transaction has its own leaves.
      const spans = new Set(
        revisions.map(({ covers_from, covers_to }) => `${covers_from} ${covers_to}`),
      );
      const batches = late > 2_000 ? [2_400, late - 2_400] : [late];
      assert.equal(spans.size, batches.length);
      assert.deepEqual(new Set(revisions.map(({ cause }) => cause.samples)), new Set(batches));
    });

    test('the coverage says what was expected, what is missing and whose it is', async () => {
      await addPolls(world, at('11:05'));
      await world.append([gauge('vm-1', '11:05'), gauge('vm-2', '11:05')]);
      await sealUntil(at('12:00'));
      const seal = (await entries('seal')).at(-1) as SealEntry;
      const { rows } = await world.pool.query<{ coverage: string }>(
        'SELECT coverage FROM seals ORDER BY start DESC LIMIT 1',
      );
      const text = rows[0]?.coverage ?? '';
      assert.deepEqual(seal.coverage, {
        digest: sha256Hex(text),
        expected: 10,
        received: 7,
        missing: 3,
        open_gaps: 2,
        gap_keys: [gapKey(at('11:00'), 'p-2')],
      });
      const coverage = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual(coverage['gaps'], [
        { cloud: 'c', source: 's', pollster: 'compute', reason: 'timeout', gaps: 1, readings: 1 },
        {
          cloud: 'c',
          source: 's',
          pollster: 'compute',
          reason: 'worker_away',
          gaps: 1,
          readings: 2,
        },
      ]);
      assert.deepEqual(coverage['projects'], ['p-2']);
      assert.deepEqual(coverage['sources'], [
        { cloud: 'c', source: 's', begun: 1, ended: 1, expected: 12 },
      ]);
      assert.deepEqual(coverage['unaccounted'], [
        { cloud: 'c', source: 's', checked_until: at('11:30') },
      ]);
    });

    test('new rules come into force with an hour, and what still holds by them is found', async () => {
      const document = { ...WORLD_RULES.document, staleness_seconds: 6 * 3_600 };
      world.rules = usageRulesOf(document);
      await sealUntil(at('14:00'));
      const rules = await entries('usage_rules');
      assert.equal(rules.length, 2);
      const seals = (await entries('seal')).slice(-3);
      assert.deepEqual(seals.map((seal) => seal.rules), [
        rules[0]?.digest,
        rules[1]?.digest,
        rules[1]?.digest,
      ]);
      // Read at 08:59 they had run out by the old rules, and hold till 14:59 by the new ones.
      assert.deepEqual(seals.map((seal) => seal.rows), [2, late + 2, late + 2]);
      assert.deepEqual(await brokenInvariants(world.pool), []);
    });

    test('a whole day is summed up, and again when an hour of it is revised', async () => {
      world.nowMs = NOW + 86_400_000;
      await sealUntil(`2026-10-06T00:00:00.000000Z`);
      await world.append([gauge('vm-1', '08:20', '3')]);
      await world.revise();
      const { rows } = await world.pool.query(
        `SELECT revision, count, sum, min, max, first_volume, last_volume
         FROM window_rollups JOIN series USING (series_id) WHERE resource_id = 'vm-1' ORDER BY revision`,
      );
      const day = { min: '1', max: '8', first_volume: '8', last_volume: '1' };
      assert.deepEqual(rows, [
        { revision: 0, count: 4, sum: '15', ...day },
        { revision: 1, count: 5, sum: '18', ...day },
      ]);
      assert.deepEqual(await brokenInvariants(world.pool), []);
    });

    test('windows whose samples are in archives alone stay as they are', async () => {
      await world.pool.query(
        `INSERT INTO archives (name, position, samples, bytes, digest, places, archived_at, dropped_at)
         VALUES ('samples_2026_10', 0, 0, 0, '', '[]', now(), now())`,
      );
      await world.append([gauge('vm-1', '08:21', '3')]);
      const { samples, windows } = await world.revise();
      assert.deepEqual([samples, windows], [1, 0]);
    });
  });
}

function projectsOf(revisions: readonly RevisionEntry[]): number {
  return new Set(revisions.map(({ project_id }) => project_id)).size;
}

/** One cycle of a source that is polled every five minutes: of ten readings seven came. */
async function addPolls(world: WindowWorld, cycle: string): Promise<void> {
  await world.pool.query(
    `INSERT INTO poll_sources (cloud, name, spec, digest, interval_seconds, groups, applied_at, checked_until)
     VALUES ('c', 's', '{}', '', 300, 1, $1, $2)`,
    [at('00:00'), at('11:30')],
  );
  const { rows } = await world.pool.query<{ cycle_id: bigint }>(
    `INSERT INTO poll_cycles (cloud, source, group_no, cycle, log_id, ended_at)
     VALUES ('c', 's', 0, $1, 0, $1) RETURNING cycle_id`,
    [cycle],
  );
  const id = rows[0]?.cycle_id;
  await world.pool.query("INSERT INTO poll_coverage VALUES ($1, 'memory', 5), ($1, 'vcpus', 2)", [
    id,
  ]);
  await world.pool.query(
    `INSERT INTO poll_gaps (gap_key, cycle_id, pollster, unit, units, meters, cumulative, reason, detail,
       recorded_at, repaired_at)
     VALUES (gen_random_uuid(), $1, 'compute', 'vm-2', 1, '{memory}', false, 'timeout', '', $2, NULL),
       (gen_random_uuid(), $1, 'compute', NULL, 1, '{memory,vcpus}', false, 'worker_away', '', $2, NULL),
       (gen_random_uuid(), $1, 'compute', 'vm-1', 1, '{memory}', false, 'timeout', '', $2, $2)`,
    [id, cycle],
  );
}
