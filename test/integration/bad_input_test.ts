/**
 * Whatever comes instead of a notification, the shard goes on: each message is stored, counted, or in
 * quarantine with its bytes and a reason, and nothing else in its batch is touched by it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createDatabase } from '../../db/client.ts';
import { migrate } from '../../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../../db/partitions.ts';
import { sha256Hex } from '../../ledger/sha256.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import {
  fuzzInputs,
  INPUT_DEFINITIONS,
  inputCases,
  inputMessage,
  QUARANTINE_REASONS,
} from '../support/bad_input.ts';
import { extendModel, type Model } from '../support/fault_model.ts';
import type { Parcel } from '../support/fault_workload.ts';
import { FaultWorld } from '../support/fault_world.ts';
import { shippedDefinitions } from '../support/ingest_setup.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { startPGlite } from '../support/pglite.ts';
import { postgresSkipReason, startPostgres } from '../support/postgres.ts';

interface Engine {
  name: string;
  skip: string | false;
  /** Inputs of the fuzz. */
  inputs: number;
  start: () => Promise<{ url: string; stop(): Promise<void> }>;
}

const ENGINES: readonly Engine[] = [
  {
    name: 'PostgreSQL',
    skip: natsSkipReason() || postgresSkipReason(),
    inputs: 10_000,
    start: () => startPostgres({ fsync: false }),
  },
  { name: 'PGlite', skip: natsSkipReason(), inputs: 500, start: startPGlite },
];

const SEED = '1';
/** Long enough that nothing is delivered twice, so that totals can be exact. */
const ACK_WAIT_MS = 120_000;
const LEG_SECONDS = 100;

for (const engine of ENGINES) {
  describe(`bad input on ${engine.name}`, { skip: engine.skip }, () => {
    let server: { url: string; stop(): Promise<void> } | undefined;
    let world: FaultWorld;
    const model: Model = { origins: new Map(), rejects: new Map() };
    const sent: Parcel[] = [];

    before(async () => {
      server = await engine.start();
      const db = createDatabase(server.url);
      await migrate(db.pool);
      await ensurePartitions(db.pool, partitionSpan(formatMillis(Date.now())));
      await db.close();
      world = await FaultWorld.create({
        seed: SEED,
        shards: 1,
        databaseUrl: server.url,
        definitions: [...await shippedDefinitions(), INPUT_DEFINITIONS],
        ackWaitMs: ACK_WAIT_MS,
      });
    });

    after(async () => {
      await world?.close();
      await server?.stop();
    });

    /** One leg takes all, without a failure, and the database is what it must be then. */
    async function ingest(parcels: readonly Parcel[]) {
      sent.push(...parcels);
      await world.publish(parcels);
      const receipt = await world.runLeg(0, LEG_SECONDS);
      assert.equal(receipt.drained, true);
      assert.equal(receipt.messages, parcels.length);
      extendModel(model, parcels, world.definitions);
      assert.deepEqual(await world.compareWith(model), []);
      return receipt;
    }

    async function quarantineOf(bytes: Uint8Array) {
      const { rows } = await world.db.pool.query<
        { reason: string; bytes: Uint8Array; place: string | null; detail: string }
      >(
        `SELECT reason, bytes, place, detail FROM quarantine WHERE digest = decode($1, 'hex')`,
        [sha256Hex(bytes)],
      );
      return rows;
    }

    test('each kind of it has its reason, and keeps its bytes', async () => {
      const cases = inputCases();
      const receipt = await ingest(cases);
      const wrong: string[] = [];
      for (const { title, bytes, reason } of cases) {
        const rows = await quarantineOf(bytes);
        const found = rows[0]?.reason ?? null;
        if (found !== reason) {
          wrong.push(`${title}: ${found} (${rows[0]?.detail}), not ${reason}`);
        }
        if (rows[0] !== undefined && !Buffer.from(bytes).equals(rows[0].bytes)) {
          wrong.push(`${title}: other bytes`);
        }
      }
      assert.deepEqual(wrong, []);
      assert.equal(receipt.quarantined, cases.filter(({ reason }) => reason !== null).length);
    });

    test('the same id with other content is a conflict, the same content is not', async () => {
      const parcel = (changes: object, reason: string | null, payload = {}): Parcel => ({
        bytes: new TextEncoder().encode(
          JSON.stringify(inputMessage({ message_id: 'contradicted', ...changes }, payload)),
        ),
        reason,
      });
      const first = parcel({}, null);
      await ingest([first]);
      const republished = parcel({ priority: 'info', _unique_id: 'again' }, null);
      const receipt = await ingest([first, parcel({}, null, { size: 2 }), republished]);
      assert.deepEqual(
        { conflicts: receipt.conflicts, duplicates: receipt.duplicates, samples: receipt.samples },
        { conflicts: 1, duplicates: 2, samples: 0 },
      );
    });

    test(`${engine.inputs} inputs of chance stop nothing, and add up`, async () => {
      const inputs = fuzzInputs(SEED, engine.inputs);
      const known = new Set(sent.map(({ bytes }) => sha256Hex(bytes)));
      const receipt = await ingest(inputs);
      const { rows } = await world.db.pool.query<{ reason: string; messages: bigint }>(
        'SELECT reason, count(*) AS messages FROM quarantine GROUP BY reason',
      );
      assert.deepEqual(rows.filter(({ reason }) => !QUARANTINE_REASONS.has(reason)), []);
      const total = (await world.db.pool.query<{ total: bigint }>(
        `SELECT (SELECT count(*) FROM origins) + (SELECT sum(redelivered) FROM origins)
           + (SELECT sum(attempts) FROM quarantine) AS total`,
      )).rows[0]?.total;
      assert.equal(Number(total), sent.length);
      const distinct = new Set(
        inputs.map(({ bytes }) => sha256Hex(bytes)).filter((digest) => !known.has(digest)),
      );
      assert.ok(receipt.quarantined > distinct.size / 4, 'the fuzz has bad inputs');
      assert.ok(receipt.samples > distinct.size / 4, 'the fuzz has good inputs');
    });
  });
}
