/** A message that cannot be stored, for a reason that nobody thought of, must not take others with it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Pool, PoolClient } from 'pg';
import { runLeg } from '../../activities/ingest_leg.ts';
import { sha256Hex } from '../../ledger/sha256.ts';
import { INPUT_DEFINITIONS, inputMessage } from '../support/bad_input.ts';
import type { Parcel } from '../support/fault_workload.ts';
import { FaultWorld, makeTemplate } from '../support/fault_world.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';

const MESSAGES = 40;
const POISON = 'message-7';
/** Far more than the deliveries after which a message is set aside. */
const LEGS = 200;

describe(
  'a message that stops its batch',
  { skip: postgresSkipReason() || natsSkipReason() },
  () => {
    let postgres: PostgresServer;
    let world: FaultWorld;

    before(async () => {
      postgres = await startPostgres({ fsync: false });
      world = await FaultWorld.create({
        seed: 'poison',
        shards: 1,
        databaseUrl: await makeTemplate(postgres),
        definitions: [INPUT_DEFINITIONS],
        ackWaitMs: 60_000,
      });
    });

    after(async () => {
      await world?.close();
      await postgres?.stop();
    });

    test('is set aside alone in the end, and all others are stored', async () => {
      const parcels = Array.from({ length: MESSAGES }, (_, index): Parcel => {
        const message = inputMessage({ message_id: `message-${index}` });
        const reason = `message-${index}` === POISON ? 'delivery_exhausted' : null;
        return { bytes: new TextEncoder().encode(JSON.stringify(message)), reason };
      });
      await world.publish(parcels);
      const deps = { ...world.deps, pool: refusing(world.db.pool, POISON) };
      const control = { stopped: () => false, heartbeat: () => {} };
      let failures = 0;
      for (let drained = false; !drained && failures < LEGS;) {
        drained = await runLeg(deps, { shard: 0, seconds: 30, drain: true }, control)
          .then((receipt) => receipt.drained, () => false);
        if (!drained) failures += 1;
      }
      assert.ok(failures > 0 && failures < LEGS, `${failures} legs failed`);
      assert.deepEqual(await world.findFaults(parcels), []);
      const { rows } = await world.db.pool.query<{ bytes: Uint8Array }>(
        'SELECT bytes FROM quarantine',
      );
      assert.deepEqual(
        rows.map(({ bytes }) => sha256Hex(bytes)),
        parcels.filter(({ reason }) => reason !== null).map(({ bytes }) => sha256Hex(bytes)),
      );
    });
  },
);

/** The same pool, in which storing one origin fails for a reason that has no name. */
function refusing(pool: Pool, origin: string): Pool {
  return new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') return async () => refusingClient(await target.connect(), origin);
      return bound(target, name);
    },
  });
}

function refusingClient(client: PoolClient, origin: string): PoolClient {
  return new Proxy(client, {
    get(target, name) {
      if (name !== 'query') return bound(target, name);
      return async (...args: unknown[]): Promise<unknown> => {
        const [query] = args as [{ name?: string; values?: unknown[] }];
        const origins = query.name === 'insert_origins' ? query.values?.[4] : null;
        if (Array.isArray(origins) && origins.includes(origin)) throw new Error('no reason given');
        const run: unknown = bound(target, name);
        return typeof run === 'function' ? await Reflect.apply(run, target, args) : undefined;
      };
    },
  });
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
