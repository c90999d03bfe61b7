/** The actor `ingestShard` on a real Temporal, with a real intake and database. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { DefinitionSource } from '../../activities/definition_source.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { readEntries } from '../../db/log_entries.ts';
import { openCheckpoint } from '../../ledger/checkpoint.ts';
import { type LogEntry, parseEntry } from '../../ledger/entry.ts';
import { definitionsDigest } from '../../ledger/identity.ts';
import { createSigner, generateSigningKey } from '../../ledger/signer.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { parseVkey } from '../../ledger/vkey.ts';
import type { DefinitionFile } from '../../meters/definition_compile.ts';
import { MAX_RECEIPT_BYTES } from '../../temporal.config.ts';
import type { LegReceipt } from '../../activities/leg_receipt.ts';
import { TestActor } from '../support/actor_setup.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { fleetDefinitions, makeWorkload } from '../support/fault_workload.ts';
import { FaultWorld, makeTemplate } from '../support/fault_world.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';

const skip = postgresSkipReason() || natsSkipReason() || temporalSkipReason();

describe('ingestShard', { skip }, () => {
  let postgres: PostgresServer;
  let template: string;
  let temporal: FaultTemporal;
  let world: FaultWorld;
  let actor: TestActor | null = null;

  before(async () => {
    [postgres, temporal] = await Promise.all([
      startPostgres({ fsync: false }),
      FaultTemporal.start(),
    ]);
    template = await makeTemplate(postgres);
  });

  beforeEach(async () => {
    const databaseUrl = await postgres.createDatabase({ template });
    world = await FaultWorld.create({ seed: '1', shards: 1, databaseUrl });
  });

  afterEach(async () => {
    await actor?.stop();
    actor = null;
    await world.close();
  });

  after(async () => {
    await temporal?.stop();
    await postgres?.stop();
  });

  async function entries(): Promise<LogEntry[]> {
    const { rows } = await world.db.pool.query<{ size: bigint }>('SELECT size FROM logs');
    const texts = await readEntries(world.db.pool, 0, { from: 0, to: Number(rows[0]?.size) });
    return texts.map((text) => parseEntry(text));
  }

  test('pauses at the next batch, says why, and ingests nothing until it is resumed', async () => {
    const { parcels } = makeWorkload('pause', 120);
    const [first, second] = [parcels.slice(0, 60), parcels.slice(60)];
    actor = await TestActor.start(temporal, world.deps, { legSeconds: 30, legsPerRun: 100 });
    await world.publish(first);
    await world.intakeIsEmpty();
    await actor.handle.signal('pause', 'moving the racks');
    const paused = await actor.until(({ leg_running }) => !leg_running);
    assert.deepEqual([paused.mode, paused.reason], ['paused', 'moving the racks']);
    assert.equal(paused.totals.messages, first.length);
    await world.publish(second);
    await actor.handle.signal('resume');
    await world.intakeIsEmpty();
    await actor.handle.signal('pause');
    const after = await actor.until(({ leg_running }) => !leg_running);
    assert.equal(after.totals.messages, parcels.length);
    // One leg after the other: none has run while it was paused.
    assert.equal(
      Number(after.last_receipt?.epoch),
      Number(paused.last_receipt?.epoch) + after.totals.legs - paused.totals.legs,
    );
    assert.equal(after.last_receipt?.first_leaf, paused.last_receipt?.size);
    assert.deepEqual(await world.findFaults(parcels), []);
  });

  test('drains what waits, and then pauses by itself', async () => {
    const { parcels } = makeWorkload('drain', 120);
    actor = await TestActor.start(temporal, world.deps, { legSeconds: 30, legsPerRun: 100 });
    await world.publish(parcels);
    await actor.handle.signal('drain');
    const drained = await actor.until(({ mode }) => mode === 'paused');
    assert.equal(drained.reason, 'drained');
    assert.equal(drained.last_receipt?.drained, true);
    assert.equal(drained.last_receipt?.pending, 0);
    assert.deepEqual(await world.findFaults(parcels), []);
  });

  test('halts at a damaged log, writes nothing to it, and goes on when it is mended', async () => {
    const { parcels } = makeWorkload('halt', 60);
    actor = await TestActor.start(temporal, world.deps);
    await world.publish(parcels.slice(0, 30));
    await world.intakeIsEmpty();
    await actor.handle.signal('pause');
    await actor.until(({ leg_running }) => !leg_running);
    await world.db.pool.query('CREATE TABLE kept AS SELECT root, size FROM logs');
    await world.db.pool.query(`UPDATE logs SET root = sha256('elsewhere')`);
    await world.publish(parcels.slice(30));
    await actor.handle.signal('resume');
    const halted = await actor.until(({ mode }) => mode === 'halted');
    assert.match(halted.reason ?? '', /^Cannot write to log 0: /);
    await actor.handle.signal('pause', 'is not heard by a halted actor');
    assert.equal((await actor.status()).mode, 'halted');
    const { rows } = await world.db.pool.query<{ same: boolean }>(
      'SELECT logs.size = kept.size AS same FROM logs, kept',
    );
    assert.deepEqual(rows, [{ same: true }]);
    await world.db.pool.query('UPDATE logs SET root = kept.root FROM kept');
    await actor.handle.signal('resume');
    await world.intakeIsEmpty();
    assert.deepEqual(await world.findFaults(parcels), []);
  });

  test('keeps its totals and its pause when it continues as new', async () => {
    const { parcels } = makeWorkload('continue', 150);
    actor = await TestActor.start(temporal, world.deps, { legSeconds: 1, legsPerRun: 1 });
    const firstRun = (await actor.handle.describe()).runId;
    const third = Math.ceil(parcels.length / 3);
    for (let sent = 0; sent < parcels.length; sent += third) {
      await world.publish(parcels.slice(sent, sent + third));
      await world.intakeIsEmpty();
      const { totals: { legs } } = await actor.status();
      await actor.until(({ totals }) => totals.legs > legs);
    }
    await actor.handle.signal('pause', 'at last');
    const end = await actor.until(({ leg_running, mode }) => mode === 'paused' && !leg_running);
    assert.notEqual((await actor.handle.describe()).runId, firstRun);
    assert.equal(end.reason, 'at last');
    assert.equal(end.totals.messages, parcels.length);
    assert.ok(end.totals.legs >= 3);
    assert.equal(end.totals.samples, await count(world, 'samples'));
    assert.equal(end.totals.quarantined, await count(world, 'quarantine'));
  });

  test('puts new definitions in force without a restart, and keeps the old ones if they are faulty', async () => {
    const shipped = await fleetDefinitions();
    const added = { name: 'added.yaml', text: 'metric: []\n' };
    let files: readonly DefinitionFile[] = shipped;
    const definitions = new DefinitionSource({
      pool: world.db.pool,
      read: () => Promise.resolve(files),
      nowMs: Date.now,
    });
    const { parcels } = makeWorkload('definitions', 90);
    actor = await TestActor.start(temporal, { ...world.deps, definitions });
    await world.publish(parcels.slice(0, 30));
    await world.intakeIsEmpty();
    files = [...shipped, added];
    const newest = definitionsDigest(files);
    await actor.until(({ last_receipt }) => last_receipt?.definitions === newest);
    await world.publish(parcels.slice(30, 60));
    await world.intakeIsEmpty();
    const faulty = `metric:\n${'  - {name: x, speed: 1}\n'.repeat(400)}`;
    files = [...shipped, { name: `${'long'.repeat(60)}.yaml`, text: faulty }];
    const refused = await actor.until(({ last_receipt }) =>
      last_receipt !== null && last_receipt.definitions_fault !== null
    );
    assert.match(refused.last_receipt?.definitions_fault ?? '', /long\.yaml:2:/);
    assert.equal(refused.last_receipt?.definitions, newest);
    assert.ok(JSON.stringify(refused.last_receipt).length < MAX_RECEIPT_BYTES);
    await world.publish(parcels.slice(60));
    await world.intakeIsEmpty();

    const log = await entries();
    const sets = log.filter((entry) => entry.kind === 'definitions');
    assert.deepEqual(sets.map(({ digest }) => digest), [definitionsDigest(shipped), newest]);
    const change = log.findLastIndex(({ kind }) => kind === 'definitions');
    for (const [index, entry] of log.entries()) {
      if (entry.kind !== 'sample') continue;
      assert.equal(
        entry.definitions,
        definitionsDigest(index < change ? shipped : [...shipped, added]),
      );
    }
    assert.ok(log.slice(0, change).some(({ kind }) => kind === 'sample'));
    assert.ok(log.slice(change).some(({ kind }) => kind === 'sample'));
    assert.deepEqual(await world.findFaults(parcels), []);
  });

  test('leaves receipts of less than 4 KiB in the histories, and never a sample', async () => {
    const { parcels } = makeWorkload('history', 200);
    actor = await TestActor.start(temporal, world.deps, { legSeconds: 1, legsPerRun: 2 });
    await world.publish(parcels);
    await world.intakeIsEmpty();
    await actor.until(({ totals }) => totals.messages >= parcels.length && totals.legs > 3);
    const payloads = await actor.payloads();
    const receipts = payloads.map((text): Partial<LegReceipt> => JSON.parse(text))
      .filter((value) => value?.root !== undefined);
    assert.ok(receipts.length > 3, 'the histories hold receipts');
    const { rows } = await world.db.pool.query<{ text: string }>(
      `SELECT DISTINCT unnest(ARRAY[resource_id, project_id, user_id]) AS text FROM series
       UNION SELECT replace(id::text, '-', '') FROM samples UNION SELECT origin FROM origins`,
    );
    const secrets = rows.map(({ text }) => text).filter((text) => text !== null && text.length > 7);
    assert.ok(secrets.length > 100);
    for (const payload of payloads) {
      assert.ok(new TextEncoder().encode(payload).length < MAX_RECEIPT_BYTES, payload);
      for (const secret of secrets) assert.ok(!payload.includes(secret), `${secret} in ${payload}`);
    }
  });

  test('changes its signing key with an overlap, and old receipts and checkpoints stay good', async () => {
    const { parcels } = makeWorkload('rotation', 90);
    const [old] = world.deps.signers;
    const fresh = createSigner(TEST_DEPLOYMENT, generateSigningKey());
    assert.ok(old !== undefined);
    actor = await TestActor.start(temporal, world.deps);
    await world.publish(parcels.slice(0, 45));
    await world.intakeIsEmpty();
    await world.gatherEvidence();
    await actor.work({ ...world.deps, signers: [fresh, old] });
    await world.publish(parcels.slice(45));
    await world.intakeIsEmpty();

    const keys = (await entries()).filter((entry) => entry.kind === 'key');
    assert.deepEqual(keys.map(({ vkey }) => vkey), [old.vkey, fresh.vkey]);
    assert.equal(keys[1]?.previous, old.vkey);
    assert.notEqual(keys[1]?.endorsement, null);
    const notes = await checkpoints(world);
    const signedBy = async (note: string, vkey: string) =>
      await openCheckpoint(note, [parseVkey(vkey)]).then(() => true, () => false);
    assert.deepEqual(
      [await signedBy(notes[0] ?? '', old.vkey), await signedBy(notes[0] ?? '', fresh.vkey)],
      [true, false],
    );
    const last = notes.at(-1) ?? '';
    assert.deepEqual([await signedBy(last, old.vkey), await signedBy(last, fresh.vkey)], [
      true,
      true,
    ]);
    for (const trusted of [old.vkey, fresh.vkey]) {
      const verdict = await verifyLog(databaseLog(world.db.pool, 0), { vkeys: [trusted] });
      assert.equal(verdict.ok, true, `${trusted}: ${JSON.stringify(verdict)}`);
    }
    // Receipts from before the change are among what this looks at.
    assert.ok(world.receipts > 0);
    assert.deepEqual(await world.findFaults(parcels), []);
  });
});

async function count(world: FaultWorld, table: 'samples' | 'quarantine'): Promise<number> {
  const { rows } = await world.db.pool.query<{ count: bigint }>(`SELECT count(*) FROM ${table}`);
  return Number(rows[0]?.count);
}

async function checkpoints(world: FaultWorld): Promise<string[]> {
  const { rows } = await world.db.pool.query<{ note: string }>(
    'SELECT note FROM checkpoints WHERE log_id = 0 ORDER BY size',
  );
  return rows.map(({ note }) => note);
}
