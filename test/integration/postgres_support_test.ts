import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDatabase } from '../../db/client.ts';
import { databaseError } from '../../db/errors.ts';
import { postgresSkipReason, startPostgres } from '../support/postgres.ts';

const skip = postgresSkipReason({ isPrivate: true });

test('a pool survives the crash and the restart of its server', { skip }, async () => {
  const server = await startPostgres({ isPrivate: true });
  const db = createDatabase(server.url);
  try {
    await db.pool.query('CREATE TABLE kept (n int)');
    for (const round of [1, 2]) {
      await db.pool.query('INSERT INTO kept VALUES ($1)', [round]);
      const running = db.pool.query('SELECT pg_sleep(60)').then(() => null, (error) => error);
      // The query must be running, or it would only wait for the server to come back.
      for (let found = 0; found === 0;) {
        const { rows } = await db.pool.query(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'",
        );
        found = rows[0].n;
      }
      await (round === 1 ? server.crash() : server.restart());
      const error = databaseError(await running, 'sleep');
      assert.deepEqual([error.code, error.retryable], ['database_unreachable', true]);
      const { rows } = await db.pool.query('SELECT count(*) AS n FROM kept');
      assert.equal(rows[0].n, BigInt(round));
    }
  } finally {
    await db.close();
    await server.stop();
  }
});

test('databases of one cluster are empty and apart from each other', { skip }, async () => {
  const server = await startPostgres({ fsync: false });
  const [first, second] = [
    createDatabase(server.url),
    createDatabase(await server.createDatabase()),
  ];
  try {
    await first.pool.query('CREATE TABLE mine (n int)');
    await assert.rejects(second.pool.query('SELECT * FROM mine'), { code: '42P01' });
  } finally {
    await first.close();
    await second.close();
    await server.stop();
  }
});
