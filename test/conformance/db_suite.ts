/** What db/ promises on any PostgreSQL: the same suite for the server and for PGlite. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createDatabase, type Database, inTransaction } from '../../db/client.ts';
import { databaseError } from '../../db/errors.ts';
import { analyze, summarizeNewRanges } from '../../db/maintenance.ts';
import { checkSchemaVersion, migrate } from '../../db/migrate.ts';
import { ensurePartitions, listPartitions, monthsAhead } from '../../db/partitions.ts';
import { WrittenLog } from '../support/written_log.ts';
import { invariantSuite, logSuite } from './db_log_suite.ts';
import { BATCHES, FIRST, type LogSuite } from './db_model.ts';
import { originSuite } from './db_origin_suite.ts';
import { readSuite } from './db_read_suite.ts';

export interface SuiteServer {
  readonly url: string;
  stop(): Promise<void>;
}

export function dbSuite(
  name: string,
  { skip, makeServer }: { skip: string | false; makeServer: () => Promise<SuiteServer> },
): void {
  describe(`database on ${name}`, { skip }, () => {
    let server: SuiteServer;
    let db: Database;

    before(async () => {
      server = await makeServer();
      db = createDatabase(server.url);
    });
    after(async () => {
      await db.close();
      await server.stop();
    });

    test('checkSchemaVersion tells of a database that was never migrated', async () => {
      await assert.rejects(checkSchemaVersion(db.pool), { code: 'schema_missing' });
    });

    test('migrate run by several processes at once applies each migration once', async () => {
      const others = [createDatabase(server.url), createDatabase(server.url)];
      const reports = await Promise.all([db, ...others].map(({ pool }) => migrate(pool)));
      for (const other of others) await other.close();
      assert.equal(reports.filter(({ before, after }) => before < after).length, 1);
      await checkSchemaVersion(db.pool);
    });

    test('checkSchemaVersion refuses an older, a newer and a foreign schema', async () => {
      const change = async (statement: string, code: string) => {
        const client = await db.pool.connect();
        await client.query('BEGIN');
        await client.query(statement);
        await assert.rejects(checkSchemaVersion(client), { code });
        await client.query('ROLLBACK');
        client.release();
      };
      const table = 'drizzle.__drizzle_migrations';
      await change(
        `DELETE FROM ${table} WHERE id = (SELECT max(id) FROM ${table})`,
        (await db.pool.query(`SELECT 1 FROM ${table}`)).rowCount === 1
          ? 'schema_missing'
          : 'schema_older',
      );
      await change(
        `INSERT INTO ${table} (hash, created_at) VALUES ('x', 9999999999999)`,
        'schema_newer',
      );
      await change(`UPDATE ${table} SET hash = 'x'`, 'schema_altered');
    });

    test('ensurePartitions run by several processes at once makes each month once', async () => {
      const span = { from: FIRST, to: '2027-02-15T00:00:00.000000Z' };
      const made = await Promise.all([1, 2, 3].map(() => ensurePartitions(db.pool, span)));
      assert.equal(made.flat().length, 5);
      assert.deepEqual(await ensurePartitions(db.pool, span), []);
      const partitions = await listPartitions(db.pool);
      assert.deepEqual(
        partitions.map(({ name }) => name),
        ['2026_10', '2026_11', '2026_12', '2027_01', '2027_02'].map((month) => `samples_${month}`),
      );
      assert.equal(monthsAhead(partitions, '2026-11-22T00:00:00.000000Z'), 3);
      assert.equal(monthsAhead(partitions, '2027-03-01T00:00:00.000000Z'), 0);
      await assert.rejects(
        ensurePartitions(db.pool, { from: FIRST, to: '9026-01-01T00:00:00.000000Z' }),
        { code: 'partition_span_invalid' },
      );
    });

    test('values come back as they went in: microseconds, 60 digits, 64 bits, bytes', async () => {
      const text = '2026-01-31T23:59:59.000001Z';
      const volume = `${'9'.repeat(60)}.${'1'.repeat(60)}`;
      for (const zone of ['UTC', 'Asia/Kathmandu']) {
        await inTransaction(db.pool, async (tx) => {
          await tx.query(`SET LOCAL timezone = '${zone}'`);
          const { rows } = await tx.query(
            `SELECT $1::timestamptz AS ts, $2::numeric AS volume, $3::bigint AS position,
               $4::bytea AS bytes, $5::bigint[] AS positions, ARRAY[$1::timestamptz, NULL] AS times`,
            [text, volume, 2n ** 63n - 1n, Buffer.from([0, 255]), ['1', null]],
          );
          assert.deepEqual({ ...rows[0], bytes: [...rows[0].bytes] }, {
            ts: text,
            volume,
            position: 2n ** 63n - 1n,
            bytes: [0, 255],
            positions: [1n, null],
            times: [text, null],
          });
        });
      }
    });

    test('inTransaction leaves nothing behind when its work fails, and gives the client back', async () => {
      for (let attempt = 0; attempt < 20; attempt += 1) {
        await assert.rejects(
          inTransaction(db.pool, async (tx) => {
            await tx.query("INSERT INTO event_types (name) VALUES ('left behind')");
            throw new Error('on purpose');
          }),
          /on purpose/,
        );
      }
      const left = await db.pool.query("SELECT 1 FROM event_types WHERE name = 'left behind'");
      assert.equal(left.rowCount, 0);
    });

    test('failures are told by code, and by whether trying again may help', async () => {
      const codeOf = async (statement: string) => {
        const error = await db.pool.query(statement).then(() => null, (failure) => failure);
        const { code, retryable } = databaseError(error, 'try');
        return [code, retryable];
      };
      const july = "INSERT INTO samples VALUES (1, '2020-07-01', 1, gen_random_uuid(), 1, 1, 0, 1)";
      assert.deepEqual(await codeOf(july), ['partition_missing', true]);
      assert.deepEqual(await codeOf('SELECT * FROM nowhere'), ['database_schema', false]);
      assert.deepEqual(await codeOf("SELECT 'x'::int"), ['value_invalid', false]);
      assert.deepEqual(await codeOf('SELECT repeat(chr(0), 1)'), ['value_too_large', false]);
      const away = createDatabase('postgres://nobody@127.0.0.1:1/none');
      await assert.rejects(migrate(away.pool), { code: 'database_unreachable', retryable: true });
      await away.close();
    });

    describe('with a log', () => {
      const state: LogSuite = {} as LogSuite;

      before(async () => {
        const log = await WrittenLog.open(db.pool);
        for (const { recordedAt, notifications } of BATCHES) {
          await log.append(recordedAt, notifications);
        }
        await log.writer.appendRecords([{ kind: 'note', entry: '{"kind":"note","v":1}' }]);
        await summarizeNewRanges(db.pool);
        await analyze(db.pool);
        Object.assign(state, { db, log });
      });

      logSuite(state);
      readSuite(state);
      originSuite(state);
      invariantSuite(state);
    });
  });
}
