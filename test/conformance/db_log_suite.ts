import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkpointCovering, latestCheckpoint } from '../../db/checkpoints.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { readEntries } from '../../db/log_entries.ts';
import { databaseLog, readTile } from '../../db/log_tiles.ts';
import { appendAsGuest } from '../../db/log_guest.ts';
import { listLogs, readLog } from '../../db/logs.ts';
import { storageReport } from '../../db/storage_report.ts';
import { leafHash } from '../../ledger/merkle.ts';
import { appendLeaves, rootOf } from '../../ledger/tree.ts';
import { isNephoError } from '../../meters/errors.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH } from '../../meters/limits.ts';
import { testSigner } from '../support/test_signer.ts';
import { WrittenLog } from '../support/written_log.ts';
import { BATCHES, type LogSuite, PROPERTY, SAMPLES } from './db_model.ts';

/** The log out of its rows. */
export function logSuite(suite: LogSuite): void {
  test('readEntries gives back, from rows, exactly what was hashed', async () => {
    const entries = await readEntries(suite.db.pool, 0, { from: 0, to: 10_000 });
    assert.equal(entries.length, SAMPLES.length + 1);
    const { state } = appendLeaves({ size: 0, hashes: [] }, entries.map(leafHash));
    const head = await readLog(suite.db.pool, 0);
    assert.deepEqual([...rootOf(state)], [...head?.root ?? []]);
    assert.equal(head?.size, entries.length);
    await fc.assert(
      fc.asyncProperty(fc.nat(entries.length), fc.nat(300), async (from, width) => {
        const part = await readEntries(suite.db.pool, 0, { from, to: from + width });
        assert.deepEqual(part, entries.slice(from, from + width));
      }),
      PROPERTY,
    );
  });

  test('readEntries tells of a missing entry instead of moving the others up', async () => {
    const client = await suite.db.pool.connect();
    await client.query('BEGIN');
    await client.query('DELETE FROM samples WHERE position = 100');
    await assert.rejects(readEntries(client, 0, { from: 0, to: 256 }), { code: 'log_damaged' });
    await client.query('ROLLBACK');
    client.release();
  });

  test('readTile computes level 0 and cuts a tile to the width asked for', async () => {
    const entries = await readEntries(suite.db.pool, 0, { from: 0, to: 256 });
    const tile = await readTile(suite.db.pool, 0, { level: 0, index: 0, width: 256 });
    assert.deepEqual(tile, new Uint8Array(Buffer.concat(entries.map(leafHash))));
    const above = await readTile(suite.db.pool, 0, { level: 1, index: 0, width: 1 });
    const { state } = appendLeaves({ size: 0, hashes: [] }, entries.map(leafHash));
    assert.deepEqual([...above], [...rootOf(state)]);
    const narrow = await readTile(suite.db.pool, 0, { level: 0, index: 1, width: 3 });
    assert.equal(narrow.length, 96);
    for (
      const address of [{ level: 1, index: 0, width: 2 }, { level: 0, index: 9, width: 1 }]
    ) {
      await assert.rejects(readTile(suite.db.pool, 0, address), { code: 'tile_missing' });
    }
  });

  test('checkpoints are found newest first and by the size that they must cover', async () => {
    const latest = await latestCheckpoint(suite.db.pool, 0);
    assert.equal(latest?.size, SAMPLES.length + 1);
    assert.equal(await databaseLog(suite.db.pool, 0).readCheckpoint(), latest?.note);
    assert.equal((await checkpointCovering(suite.db.pool, 0, 31))?.size, 60);
    assert.equal(await checkpointCovering(suite.db.pool, 0, 10_000), null);
    assert.equal(await latestCheckpoint(suite.db.pool, 7), null);
    assert.deepEqual((await listLogs(suite.db.pool)).map(({ logId }) => logId), [0]);
  });
}

const GUEST = { signers: [testSigner()], now: () => '2026-11-22T09:00:00.000000Z' };

/** One writer, its guests, and what holds at all times. */
export function invariantSuite(suite: LogSuite): void {
  test('two writers of one log: the former is fenced out, and the log is whole', async () => {
    const successor = await WrittenLog.open(suite.db.pool);
    const stale = await suite.log.append('2026-11-21T00:00:04.000000Z', BATCHES[0]!.notifications)
      .then(() => null, (error) => error);
    assert.ok(isNephoError(stale) && stale.code === 'log_fenced');
    suite.log = successor;
    const outcome = await suite.log.append(
      '2026-11-21T00:00:05.000000Z',
      BATCHES[0]!.notifications,
    );
    assert.equal(outcome.duplicates, 10);
  });

  test('guests and the writer append to one log, whichever comes first, and nobody is fenced out', async () => {
    const before = (await readLog(suite.db.pool, 0))?.size ?? 0;
    const guest = (name: string) =>
      appendAsGuest(suite.db.pool, 0, GUEST, (_, { size }) =>
        Promise.resolve({
          records: [{ kind: 'note', entry: `{"kind":"note","name":"${name}","v":1}` }],
          result: size,
        }));
    const write = (second: number) =>
      suite.log.append(`2026-11-21T00:00:05.${second}00000Z`, BATCHES[0]?.notifications ?? []);
    // The writer's own batches follow each other; guests come in between as they like.
    const writer = (async () => {
      for (let second = 1; second < 5; second += 1) await write(second);
    })();
    const places = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(guest));
    await writer;
    assert.deepEqual(
      places.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5].map((n) => before + n),
    );
    await WrittenLog.open(suite.db.pool).then((opened) => suite.log = opened);
    assert.equal((await readLog(suite.db.pool, 0))?.size, before + 6);
  });

  test('a guest that fails leaves the log as it was', async () => {
    const before = await readLog(suite.db.pool, 0);
    const failing = appendAsGuest(suite.db.pool, 0, GUEST, async (tx) => {
      await tx.query('DELETE FROM checkpoints');
      throw new Error('on purpose');
    });
    await assert.rejects(failing, /on purpose/);
    assert.deepEqual(await readLog(suite.db.pool, 0), before);
    await assert.rejects(
      appendAsGuest(suite.db.pool, 77, GUEST, () => Promise.resolve({ records: [], result: 0 })),
      { code: 'log_unknown' },
    );
  });

  test('the longest names that are accepted can be stored, however they are written', async () => {
    // Three bytes each, and nothing that could be compressed.
    const text = (length: number, seed: number) =>
      String.fromCodePoint(
        ...Array.from({ length }, (_, index) => 0x4e00 + (index * 7_919 + seed * 104_729) % 20_000),
      );
    const [reading] = BATCHES[0]?.notifications[0]?.readings ?? [];
    assert.ok(reading !== undefined);
    const outcome = await suite.log.append('2026-11-21T00:00:06.000000Z', [{
      origin: text(MAX_ID_LENGTH, 1),
      eventType: text(MAX_NAME_LENGTH, 2),
      readings: [{
        ...reading,
        meter: text(MAX_NAME_LENGTH, 3),
        unit: text(MAX_NAME_LENGTH, 4),
        resource_id: text(MAX_ID_LENGTH, 5),
        project_id: text(MAX_ID_LENGTH, 6),
        user_id: text(MAX_ID_LENGTH, 7),
      }],
    }]);
    assert.equal(outcome.samples, 1);
  });

  test('all invariants hold', async () => {
    assert.deepEqual(await brokenInvariants(suite.db.pool), []);
  });

  // Each tampering must be found, else the invariant guards nothing.
  const TAMPERINGS: [string, RegExp][] = [
    ['DELETE FROM samples WHERE position = 100', /as many samples|no gap|as long|a batch has/],
    [
      'INSERT INTO samples SELECT position + 100000, ts, origin_id, id, series_id, metadata_id, ordinal, volume FROM samples WHERE position = 5',
      /twice/,
    ],
    ['UPDATE origins SET samples = samples + 1 WHERE origin_id = 0', /as many samples/],
    ['UPDATE origins SET outcome = 2 WHERE origin_id = 0', /outcome agrees/],
    ['UPDATE logs SET size = size - 1', /as long as it says/],
    ['UPDATE logs SET origins_count = origins_count + 1', /as many origins/],
    ["UPDATE batches SET max_ts = max_ts + interval '1 s' WHERE position = 0", /a batch has/],
    ['UPDATE batches SET samples = samples + 1 WHERE position = 0', /a batch has/],
    ['UPDATE event_counts SET samples = samples + 1', /event counts/],
    ['UPDATE series SET log_id = 1 WHERE series_id = 1', /log of its series/],
    ["UPDATE metadata SET body = body || ' '", /digests say/],
    ["UPDATE logs SET root = '\\x00'", /checkpoint signs/],
    ["UPDATE tiles SET hashes = hashes || '\\x00'", /tiles hold/],
    ['DELETE FROM metadata', /refers to rows/],
    ['UPDATE samples SET series_id = 1 WHERE position IN (0, 1)', /same reading/],
  ];
  for (const [statement, expected] of TAMPERINGS) {
    test(`an invariant is broken by: ${statement.slice(0, 60)}`, async () => {
      const client = await suite.db.pool.connect();
      await client.query('BEGIN');
      await client.query(statement);
      const broken = await brokenInvariants(client);
      await client.query('ROLLBACK');
      client.release();
      assert.ok(
        broken.some(({ name }) => expected.test(name)),
        JSON.stringify(broken.map((b) => b.name)),
      );
    });
  }

  test('the storage report adds up and counts every sample', async () => {
    const { samples, perSample } = await storageReport(suite.db.pool);
    assert.equal(samples, SAMPLES.length + 3);
    assert.deepEqual(Object.keys(perSample.indexes).sort(), [
      'samples_id',
      'samples_position',
      'samples_series',
      'samples_ts',
    ]);
    const parts = perSample.rows + perSample.series + perSample.metadata +
      Object.values(perSample.indexes).reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(Math.abs(parts - perSample.total) < 0.1, `${parts} is not ${perSample.total}`);
  });
}
