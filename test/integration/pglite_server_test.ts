import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { createDatabase, type Database, inTransaction } from '../../db/client.ts';
import { type PGliteServer, startPGlite } from '../support/pglite.ts';

describe('PGlite behind its socket', () => {
  let server: PGliteServer;
  let db: Database;
  let other: Database;

  const connect = () => {
    db = createDatabase(server.url);
    other = createDatabase(server.url);
  };
  const disconnect = async () => {
    await db.close();
    await other.close();
  };

  before(async () => {
    server = await startPGlite({ password: 'a secret' });
    connect();
    await db.pool.query('CREATE TABLE counters (name text PRIMARY KEY, n bigint NOT NULL)');
    await db.pool.query("INSERT INTO counters VALUES ('a', 0), ('b', 0)");
  });
  after(async () => {
    await disconnect();
    await server.stop();
  });

  test('transactions of many connections, interleaved, lose no update', async () => {
    const add = async (worker: number) => {
      const { pool } = worker % 2 === 0 ? db : other;
      await inTransaction(pool, async (tx) => {
        // The same names in each connection, for other statements in each pool.
        const read = worker % 2 === 0
          ? { name: 'q', text: 'SELECT n FROM counters WHERE name = $1', values: ['a'] }
          : {
            name: 'q',
            text: "SELECT n, 1 AS one FROM counters WHERE name = 'a' AND $1",
            values: [true],
          };
        const { rows } = await tx.query<{ n: bigint }>(read);
        await delay(1);
        await tx.query({
          name: 'w',
          text: 'UPDATE counters SET n = $1 WHERE name = $2',
          values: [(rows[0]?.n ?? 0n) + 1n, 'a'],
        });
        if (worker % 5 === 0) throw new Error('rolled back');
      }).catch((error: Error) => assert.equal(error.message, 'rolled back'));
    };
    await Promise.all(Array.from({ length: 60 }, (_, worker) => add(worker)));
    const { rows } = await db.pool.query("SELECT n FROM counters WHERE name = 'a'");
    assert.equal(rows[0].n, 48n);
  });

  test('a client that goes in the middle of a transaction leaves nothing and blocks nobody', async () => {
    const client = await db.pool.connect();
    client.on('error', () => {});
    await client.query('BEGIN');
    await client.query("UPDATE counters SET n = 1000 WHERE name = 'b'");
    const waiting = other.pool.query("SELECT n FROM counters WHERE name = 'b'");
    client.release(true);
    assert.equal((await waiting).rows[0].n, 0n);
  });

  test('a failed statement ends its own transaction and no other', async () => {
    const client = await db.pool.connect();
    await client.query('BEGIN');
    await assert.rejects(client.query('SELECT 1 / 0'), { code: '22012' });
    await assert.rejects(client.query('SELECT 1'), { code: '25P02' });
    await client.query('ROLLBACK');
    client.release();
    assert.equal((await other.pool.query('SELECT $1::int AS n', [7])).rows[0].n, 7);
  });

  test('large values and answers pass whole', async () => {
    const text = 'ä'.repeat(1_500_000);
    const { rows } = await db.pool.query('SELECT $1::text AS text', [text]);
    assert.ok(rows[0].text === text);
    const many = await db.pool.query('SELECT g AS n FROM generate_series(1, 50000) g');
    assert.equal(many.rows.at(-1).n, 50_000);
  });

  test('a wrong password is refused, in the words of PostgreSQL', async () => {
    const url = new URL(server.url);
    for (const password of ['', 'another', 'a secret ']) {
      url.password = password;
      const client = new Client({ connectionString: url.href });
      client.on('error', () => {});
      await assert.rejects(client.connect(), { code: '28P01' });
    }
  });

  test('a second process on the same data is refused by one sentence', () => {
    const { status, stderr } = spawnSync(process.execPath, server.command, { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /^Cannot start PGlite on '.*': process \d+ has it open.*\n$/);
  });

  test('what was committed outlives kill -9, what was not is gone', async () => {
    const count = 'SELECT count(*) AS n FROM counters';
    for (let round = 1; round <= 3; round += 1) {
      await db.pool.query('INSERT INTO counters VALUES ($1, 1)', [`committed ${round}`]);
      const client = await db.pool.connect();
      client.on('error', () => {});
      await client.query('BEGIN');
      await client.query('INSERT INTO counters VALUES ($1, 1)', [`open ${round}`]);
      await server.crash();
      client.release(true);
      await disconnect();
      connect();
      assert.equal((await db.pool.query(count)).rows[0].n, BigInt(2 + round));
    }
  });

  test('SIGTERM ends it with everything written, though clients are connected', async () => {
    await db.pool.query("INSERT INTO counters VALUES ('last', 1)");
    await server.restart();
    await disconnect();
    connect();
    const { rowCount } = await db.pool.query("SELECT 1 FROM counters WHERE name = 'last'");
    assert.equal(rowCount, 1);
  });
});
