import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { KeyChangePolicy } from '../../activities/ingest_deps.ts';
import { checkSigningKeys } from '../../activities/take_over_log.ts';
import { rotationFileOf } from '../../cli/trusted_keys.ts';
import { latestCheckpoint } from '../../db/checkpoints.ts';
import { readEntries } from '../../db/log_entries.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { newestRecords } from '../../db/records.ts';
import { parseEntry } from '../../ledger/entry.ts';
import type { KeyEntry } from '../../ledger/key_entry.ts';
import { makeReceipt } from '../../ledger/prove.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import type { Signer } from '../../ledger/signer.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { isNephoError } from '../../meters/errors.ts';
import { recordedAgentMessages } from '../support/ceilometer_agents.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { nepho } from '../support/nepho_command.ts';
import { testKeyPem, testSigner } from '../support/test_signer.ts';

const DAY_MS = 86_400_000;
const OVERLAP: KeyChangePolicy = { overlapMs: 7 * DAY_MS, unendorsedKey: null };
const START_MS = Date.UTC(2026, 1, 1);
const [, , UNSIGNED] = recordedAgentMessages();
const [A, B, C, D] = [0, 1, 2, 3].map((seed) => testSigner(seed, TEST_DEPLOYMENT)) as [
  Signer,
  Signer,
  Signer,
  Signer,
];

/** The tests are the life of one log, in their order. */
describe('the keys of a real log', { skip: ingestSkipReason() }, () => {
  let world: IngestWorld;
  let messages = 0;
  /** A receipt of each time, for the first sample that was recorded then. */
  const receipts = new Map<string, string>();

  before(async () => {
    world = await IngestWorld.start(START_MS);
  });
  after(() => world.stop());

  /** Records five samples on a day, as a worker with these signers does. */
  async function record(day: number, signers: Signer[], keyChange = OVERLAP): Promise<void> {
    world.nowMs = START_MS + day * DAY_MS;
    await world.publish(UNSIGNED.body.replace('000000000011', `1000000000${messages + 10}`));
    messages += 1;
    const sampleSignatures = { secrets: [], acceptUnsigned: true };
    const leg = await world.drain({ signers, keyChange, sampleSignatures });
    assert.equal(leg.samples, 5);
  }

  /** A receipt for the newest entry, which is a sample. */
  async function newestReceipt(): Promise<string> {
    const checkpoint = await latestCheckpoint(world.pool, 0);
    assert(checkpoint !== null);
    const index = checkpoint.size - 1;
    const [entry = ''] = await readEntries(world.pool, 0, { from: index, to: index + 1 });
    const source = { entry, metadata: null, index, checkpoint: checkpoint.note };
    const log = databaseLog(world.pool, 0);
    return formatReceipt(await makeReceipt(source, (...tile) => log.readTile(...tile)));
  }

  async function keyEntries(): Promise<KeyEntry[]> {
    const texts = await newestRecords(world.pool, 0, { kind: 'key', limit: 100 });
    return texts.toReversed().map((text) => parseEntry(text) as KeyEntry);
  }

  async function signersOf(receipt: string, vkeys: string[]): Promise<string[]> {
    const result = await verifyReceipt(receipt, { vkeys, keyEntries: await keyEntries() });
    assert(result.ok, result.ok ? '' : result.message);
    return result.signedBy;
  }

  const verified = (vkeys: string[]) => verifyLog(databaseLog(world.pool, 0), { vkeys });

  test('begin with the first one, which a restart does not announce again', async () => {
    await record(0, [A]);
    await record(1, [A]);
    receipts.set('before', await newestReceipt());
    assert.deepEqual((await keyEntries()).map(({ vkey }) => vkey), [A.vkey]);
  });

  test('change by an entry that the old key endorses, and both sign while they overlap', async () => {
    await record(10, [B, A]);
    await record(16, [B, A]);
    receipts.set('during', await newestReceipt());
    const [, change] = await keyEntries();
    assert.deepEqual([change?.vkey, change?.previous], [B.vkey, A.vkey]);
    assert.equal(change?.overlap_until?.slice(0, 10), '2026-02-18', 'seven days, as configured');
    assert.deepEqual(await signersOf(receipts.get('during') ?? '', [B.vkey, A.vkey]), [
      B.vkey,
      A.vkey,
    ]);
  });

  test('retire when the overlap ends, even if they are still configured', async () => {
    await record(18, [B, A]);
    receipts.set('after', await newestReceipt());
    assert.deepEqual(await signersOf(receipts.get('after') ?? '', [A.vkey, B.vkey]), [B.vkey]);
  });

  test('let receipts from before, during and after a rotation verify from the first key', async () => {
    for (const [when, receipt] of receipts) {
      assert((await signersOf(receipt, [A.vkey])).length > 0, when);
    }
    const log = await verified([A.vkey]);
    assert(log.ok, log.ok ? '' : log.message);
    assert.deepEqual(log.signedBy, [B.vkey]);
  });

  test('are followed by `nepho verify` from the first key and the rotations saved beside', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nepho-rotation-'));
    try {
      const file = join(directory, 'receipt');
      await writeFile(file, receipts.get('after') ?? '');
      const before = await nepho(['verify', file, '--vkey', A.vkey], { env: {} });
      assert.equal(before.status, 1, 'the new key alone is a stranger to who trusts the first');
      assert.match(before.stdout, /REFUSED at step 'signature'/);
      const texts = await newestRecords(world.pool, 0, { kind: 'key', limit: 100 });
      await writeFile(rotationFileOf(file), `${texts.toReversed().join('\n')}\n`);
      const followed = await nepho(['verify', file, '--vkey', A.vkey], { env: {} });
      assert.equal(followed.status, 0, followed.stderr + followed.stdout);
      assert.match(followed.stdout, /verified +yes/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('refuse a retired key as the only one, and write nothing', async () => {
    const size = async () => (await latestCheckpoint(world.pool, 0))?.size;
    const before = await size();
    world.nowMs = START_MS + 20 * DAY_MS;
    await assert.rejects(world.drain({ signers: [A], keyChange: OVERLAP }), {
      code: 'signing_key_retired',
    });
    await assert.rejects(checkSigningKeys(world.deps({ signers: [A], keyChange: OVERLAP }), 1), {
      code: 'signing_key_retired',
    });
    assert.equal(await size(), before);
  });

  test('refuse a new key whose predecessor is not there, and say how to let it in', async () => {
    world.nowMs = START_MS + 30 * DAY_MS;
    const refused = (error: unknown) =>
      isNephoError(error) && error.code === 'signing_key_unendorsed' &&
      error.message.endsWith(`set NEPHO_ALLOW_UNENDORSED_KEY='${C.vkey}'`);
    await assert.rejects(world.drain({ signers: [C], keyChange: OVERLAP }), refused);
    const otherKey = { ...OVERLAP, unendorsedKey: D.vkey };
    await assert.rejects(world.drain({ signers: [C], keyChange: otherKey }), refused);
  });

  test('stop a worker at its start, in one sentence, if they do not belong to the log', async () => {
    const env = {
      DATABASE_URL: world.databaseUrl,
      NEPHO_NATS_URL: world.natsUrl,
      // Nothing answers there: who gets as far has passed the keys.
      NEPHO_TEMPORAL_ADDRESS: '127.0.0.1:1',
      NEPHO_DEPLOYMENT: TEST_DEPLOYMENT,
      NEPHO_SHARDS: '1',
      NEPHO_SIGNING_KEY: testKeyPem(2).trim().replaceAll('\n', '\\n'),
    };
    const { status, stderr } = await nepho(['worker'], { env });
    assert.notEqual(status, 0);
    assert.match(stderr, /must endorse it.* set NEPHO_ALLOW_UNENDORSED_KEY='/);
    assert.doesNotMatch(stderr, /^ +at /m, 'no stack trace');
    const allowed = { ...env, NEPHO_ALLOW_UNENDORSED_KEY: C.vkey };
    const further = await nepho(['worker'], { env: allowed });
    assert.doesNotMatch(further.stderr, /endorse/);
    assert.match(further.stderr, /Cannot reach Temporal at 127\.0\.0\.1:1/);
  });

  test('take one whose predecessor is lost if it is named, and verifiers must be told', async () => {
    await record(30, [C], { ...OVERLAP, unendorsedKey: C.vkey });
    // The next start needs no permission any more.
    await record(31, [C]);
    const lost = (await keyEntries()).at(-1);
    assert.deepEqual([lost?.vkey, lost?.previous, lost?.endorsement], [C.vkey, B.vkey, null]);
    const trustingOld = await verified([A.vkey]);
    assert(!trustingOld.ok && trustingOld.step === 'signature', 'nobody vouches for the new key');
    const told = await verified([A.vkey, C.vkey]);
    assert(told.ok, told.ok ? '' : told.message);
    assert.deepEqual(told.signedBy, [C.vkey]);
    for (const receipt of receipts.values()) await signersOf(receipt, [A.vkey]);
  });

  test('change at once without an overlap, as after a compromise', async () => {
    await record(40, [D, C], { overlapMs: 0, unendorsedKey: null });
    assert.deepEqual(await signersOf(await newestReceipt(), [C.vkey, D.vkey]), [D.vkey]);
    const log = await verified([C.vkey]);
    assert(log.ok, log.ok ? '' : log.message);
    assert.deepEqual(log.signedBy, [D.vkey]);
  });
});
