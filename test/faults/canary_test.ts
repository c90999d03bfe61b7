/**
 * The checks of the fault tests are themselves tested: a worker, a database or a log that breaks a
 * promise is found out. Without this, a check that checks nothing would look like success.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { makeWorkload, type Workload } from '../support/fault_workload.ts';
import { FaultWorld, makeTemplate } from '../support/fault_world.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';

describe(
  'a broken promise is found out',
  { skip: postgresSkipReason() || natsSkipReason() },
  () => {
    let postgres: PostgresServer;
    let template: string;
    let world: FaultWorld;
    let workload: Workload;

    before(async () => {
      postgres = await startPostgres({ fsync: false });
      template = await makeTemplate(postgres);
    });

    beforeEach(async () => {
      const databaseUrl = await postgres.createDatabase({ template });
      world = await FaultWorld.create({ seed: 'canary', shards: 1, databaseUrl });
      workload = makeWorkload('canary', 60);
    });

    afterEach(async () => {
      await world.close();
    });

    after(async () => {
      await postgres?.stop();
    });

    async function store(): Promise<void> {
      await world.publish(workload.parcels);
      await world.drain();
      await world.gatherEvidence();
      assert.deepEqual(await world.findFaults(workload.parcels), []);
    }

    async function faultsAfter(statement: string): Promise<string> {
      await store();
      await world.db.pool.query(statement);
      return (await world.findFaults(workload.parcels)).join('\n');
    }

    test('a worker that acknowledges before it has committed', async () => {
      await world.publish(workload.parcels);
      const child = world.startWorker({
        acknowledgesBeforeCommit: true,
        batchSize: 10,
        fault: { step: 'committing', occurrence: 2, action: 'kill' },
      });
      assert.equal(await child.ended, 'SIGKILL', child.errors());
      await world.drain();
      assert.match((await world.findFaults(workload.parcels)).join('\n'), /is not stored/);
    });

    test('a sample that is counted twice', async () => {
      const faults = await faultsAfter(
        'INSERT INTO samples SELECT * FROM samples ORDER BY position LIMIT 1',
      );
      assert.match(faults, /no sample is there twice/);
      assert.match(faults, /samples differ in 1: has 1 too many/);
    });

    test('a volume that was changed', async () => {
      const faults = await faultsAfter(
        'UPDATE samples SET volume = volume + 1 WHERE position = (SELECT max(position) FROM samples)',
      );
      assert.match(faults, /samples differ in 2/);
      assert.match(faults, /log 0 breaks at /);
    });

    test('a notification that is missing with all its traces, in a log that verifies', async () => {
      const [first, ...others] = workload.parcels;
      assert.ok(first !== undefined);
      await world.publish(others);
      await world.drain();
      assert.match((await world.findFaults(workload.parcels)).join('\n'), /is not stored/);
      assert.deepEqual(await world.findFaults(others), []);
    });

    test('a log that was begun anew after somebody had a receipt', async () => {
      await store();
      const { rows } = await world.db.pool.query<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
      );
      await world.db.pool.query(`TRUNCATE ${rows.map(({ name }) => name).join(', ')} CASCADE`);
      await world.publish(workload.parcels.toReversed());
      await world.drain();
      assert.match(
        (await world.findFaults(workload.parcels)).join('\n'),
        /log 0 cannot be verified/,
      );
    });

    test('a quarantine that does not keep the bytes', async () => {
      const faults = await faultsAfter(
        `UPDATE quarantine SET bytes = 'other' WHERE quarantine_id = (SELECT min(quarantine_id) FROM quarantine)`,
      );
      assert.match(faults, /quarantine differ in 2/);
    });
  },
);
