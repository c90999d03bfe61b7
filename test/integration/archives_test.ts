import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import {
  archivePartition,
  dropArchived,
  planRetention,
} from '../../activities/archive_partition.ts';
import { restoreArchive } from '../../activities/restore_archive.ts';
import { readArchive } from '../../db/archives.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { readEntries } from '../../db/log_entries.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { openLog } from '../../db/open_log.ts';
import { encodeHex } from '../../ledger/bytes.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { makeReceipt } from '../../ledger/prove.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { batchesOf } from '../conformance/db_model.ts';
import { ArchiveWorld, NOW_MS, OLD_MONTH } from '../support/archive_world.ts';
import { beforeStatement } from '../support/counted_statements.ts';
import { postgresSkipReason } from '../support/postgres.ts';
import { testSigner } from '../support/test_signer.ts';

const UNTIL = '2026-12-01T00:00:00.000000Z';
const ALL_SAMPLES = `SELECT position, ts, origin_id, id, series_id, metadata_id, ordinal, volume
  FROM samples ORDER BY position`;

describe('archives', { skip: postgresSkipReason() }, () => {
  let world: ArchiveWorld;
  let size: number;
  let entries: string[];
  let samples: Record<string, unknown>[];

  before(async () => {
    world = await ArchiveWorld.start();
    for (const { recordedAt, notifications } of batchesOf(24)) {
      await world.log.append(recordedAt, notifications);
    }
    size = await world.size();
    entries = await readEntries(world.pool, 0, { from: 0, to: size });
    samples = await world.rows(ALL_SAMPLES);
  });

  after(async () => {
    await world.stop();
  });

  beforeEach(async () => {
    await forgetArchive(world);
    await world.seal(UNTIL, size);
  });

  test('retention is due when a whole month is older than samples are kept, not before', async () => {
    const due = async (nowMs: number, retentionDays: number | null = 400) =>
      (await planRetention(world.deps({ nowMs: () => nowMs, retentionDays }))).due;
    const end = Date.UTC(2026, 10, 1) + 400 * 86_400_000;
    assert.deepEqual(await due(end - 1), ['samples_2026_09']);
    assert.deepEqual(await due(end), ['samples_2026_09', OLD_MONTH]);
    assert.deepEqual(await due(NOW_MS, null), []);
  });

  test('a month that is not sealed, or whose late samples were not looked at, waits', async () => {
    await world.seal('2026-10-31T23:00:00.000000Z', size);
    const early = await archivePartition(world.deps(), OLD_MONTH);
    assert.equal(early.status, 'waiting');
    assert.match(early.reason ?? '', /not sealed/);
    await world.seal(UNTIL, 100);
    assert.equal((await archivePartition(world.deps(), OLD_MONTH)).status, 'waiting');
    assert.equal(await readArchive(world.pool, OLD_MONTH), null);
  });

  test('a month without samples is dropped without an archive', async () => {
    const empty = await archivePartition(world.deps(), 'samples_2026_09');
    assert.equal(empty.status, 'empty');
    assert.deepEqual(await dropArchived(world.deps(), 'samples_2026_09'), {
      name: 'samples_2026_09',
      dropped: true,
    });
    assert.equal(
      (await world.rows("SELECT to_regclass('samples_2026_09') AS name"))[0]?.['name'],
      null,
    );
  });

  test('archived samples leave the database, and every entry, tile and receipt stays', async () => {
    const made = await archivePartition(world.deps(), OLD_MONTH);
    assert.equal(made.status, 'archived');
    const again = await archivePartition(world.deps(), OLD_MONTH);
    assert.deepEqual(again, made, 'made once');
    const archive = await readArchive(world.pool, OLD_MONTH);
    assert(archive !== null);
    const leaf = archive.position;
    const [text = ''] = await readEntries(world.pool, 0, { from: leaf, to: leaf + 1 });
    const entry = parseEntry(text);
    assert(entry.kind === 'archive');
    assert.equal(entry.digest, encodeHex(archive.digest));

    await dropArchived(world.deps(), OLD_MONTH);
    const left = await world.rows(ALL_SAMPLES);
    assert.equal(left.length + made.samples, samples.length);
    assert.deepEqual(
      await readEntries(world.pool, 0, { from: 0, to: size }, world.archives),
      entries,
    );
    for (const [from, to] of [[1, 2], [255, 257], [300, 700]] as const) {
      assert.deepEqual(
        await readEntries(world.pool, 0, { from, to }, world.archives),
        entries.slice(from, to),
      );
    }
    assert.deepEqual(await brokenInvariants(world.pool), []);
    await checkReceipt(world, 290, entries[290] ?? '');
    await openLog(world.pool, {
      logId: 0,
      origin: 'nepho.example/log/0',
      holder: 'test',
      archives: world.archives,
    });
  });

  test('without the folder, what is archived is asked for by name', async () => {
    await archiveAndDrop(world);
    await assert.rejects(
      readEntries(world.pool, 0, { from: 0, to: size }),
      { code: 'archive_missing', message: /NEPHO_ARCHIVE_DIR/ },
    );
  });

  test('a restored month has the rows that it had, and is dropped again without a new archive', async () => {
    await archiveAndDrop(world);
    const before = await readArchive(world.pool, OLD_MONTH);
    assert.equal(await restoreArchive(world, OLD_MONTH), before?.samples);
    assert.deepEqual(await world.rows(ALL_SAMPLES), samples);
    assert.deepEqual(await brokenInvariants(world.pool), []);
    await assert.rejects(restoreArchive(world, OLD_MONTH), { code: 'already_exists' });
    await archiveAndDrop(world);
    const after = await readArchive(world.pool, OLD_MONTH);
    assert.equal(after?.position, before?.position);
  });

  test('a damaged file is not relied on, neither for dropping nor for restoring', async () => {
    await archivePartition(world.deps(), OLD_MONTH);
    const path = world.archives.pathOf(OLD_MONTH);
    const whole = await readFile(path);
    await writeFile(path, whole.map((byte, at) => at === 1_000 ? byte ^ 1 : byte));
    await assert.rejects(dropArchived(world.deps(), OLD_MONTH), { code: 'archive_damaged' });
    assert.deepEqual(await world.rows(ALL_SAMPLES), samples);
    // The next run makes it anew.
    await archiveAndDrop(world);
    await writeFile(path, whole.map((byte, at) => at === 1_000 ? byte ^ 1 : byte));
    await assert.rejects(restoreArchive(world, OLD_MONTH), { code: 'archive_damaged' });
    await writeFile(path, whole);
  });

  test('a sample whose id is another than its origin gives stops the archive', async () => {
    const { rows } = await world.pool.query<{ position: bigint; id: string }>(
      `SELECT position, id FROM ${OLD_MONTH} LIMIT 1`,
    );
    const set = `UPDATE ${OLD_MONTH} SET id = $1 WHERE position = $2`;
    await world.pool.query(set, ['00000000-0000-0000-0000-000000000000', rows[0]?.position]);
    await assert.rejects(archivePartition(world.deps(), OLD_MONTH), { code: 'archive_invalid' });
    await world.pool.query(set, [rows[0]?.id, rows[0]?.position]);
  });

  test('samples that came after the archive keep their month from being dropped', async () => {
    await archivePartition(world.deps(), OLD_MONTH);
    await world.pool.query(`INSERT INTO ${OLD_MONTH} SELECT * FROM ${OLD_MONTH} LIMIT 1`);
    await assert.rejects(dropArchived(world.deps(), OLD_MONTH), { code: 'archive_stale' });
    await world.pool.query(
      `DELETE FROM ${OLD_MONTH} WHERE ctid = (SELECT max(ctid) FROM ${OLD_MONTH})`,
    );
    await dropArchived(world.deps(), OLD_MONTH);
  });

  test('wherever it breaks off, the samples are in the database or in a whole archive', async () => {
    let broken = 0;
    for (let at = 1;; at += 1) {
      await forgetArchive(world);
      const pool = beforeStatement(world.pool, (number) => {
        if (number === at) throw new Error('Connection terminated unexpectedly');
      });
      const deps = world.deps({ pool });
      const ended = await archivePartition(deps, OLD_MONTH)
        .then(() => dropArchived(deps, OLD_MONTH)).then(() => true, () => false);
      assert.deepEqual(
        await readEntries(world.pool, 0, { from: 0, to: size }, world.archives),
        entries,
        `after statement ${at}`,
      );
      assert.deepEqual(await brokenInvariants(world.pool), [], `after statement ${at}`);
      if (ended) break;
      broken += 1;
      await archiveAndDrop(world);
      const { length } = await readdir(world.folder);
      assert.equal(length, 1, 'nothing unfinished is left');
    }
    assert.ok(broken > 15, `${broken} statements`);
  });
});

async function archiveAndDrop(world: ArchiveWorld): Promise<void> {
  await archivePartition(world.deps(), OLD_MONTH);
  await dropArchived(world.deps(), OLD_MONTH);
}

/** The month is in the database, and was never archived, whatever a test did. */
async function forgetArchive(world: ArchiveWorld): Promise<void> {
  const archive = await readArchive(world.pool, OLD_MONTH);
  if (archive !== null && archive.droppedAt !== null) await restoreArchive(world, OLD_MONTH);
  await world.pool.query('DELETE FROM archives');
  await rm(world.archives.pathOf(OLD_MONTH), { force: true });
}

async function checkReceipt(world: ArchiveWorld, index: number, entry: string): Promise<void> {
  const log = databaseLog(world.pool, 0, world.archives);
  const source = { entry, metadata: null, index, checkpoint: await log.readCheckpoint() };
  const receipt = await makeReceipt(source, (...tile) => log.readTile(...tile));
  const verified = await verifyReceipt(formatReceipt(receipt), { vkeys: [testSigner().vkey] });
  assert.equal(verified.ok, true);
}
