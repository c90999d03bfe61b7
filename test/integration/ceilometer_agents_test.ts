import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { databaseLog } from '../../db/log_tiles.ts';
import { listQuarantine, readQuarantine } from '../../db/quarantine.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { recordedAgentMessages } from '../support/ceilometer_agents.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { testSigner } from '../support/test_signer.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';

const [POLLING, , UNSIGNED] = recordedAgentMessages();
const SIGNER = testSigner(0, TEST_DEPLOYMENT);
const signers = [SIGNER];

describe("samples of Ceilometer's agents", { skip: ingestSkipReason() }, () => {
  let world: IngestWorld;

  before(async () => {
    world = await IngestWorld.start(Date.UTC(2026, 1, 1));
  });
  after(() => world.stop());

  const quarantined = async () => (await listQuarantine(world.pool, {}, { limit: 10 })).rows;

  test('wait in quarantine while no secret is configured, byte for byte', async () => {
    await world.publish(POLLING.body);
    const leg = await world.drain({ signers });
    assert.deepEqual([leg.samples, leg.quarantined], [0, 1]);
    const [kept] = await quarantined();
    assert.equal(kept?.reason, 'signature_unverifiable');
    const stored = await readQuarantine(world.pool, kept.quarantineId);
    assert.equal(new TextDecoder().decode(stored?.bytes), POLLING.body);
  });

  test('enter the log once the secret is known; what is forged or unsigned does not', async () => {
    const forged = POLLING.body.replace('vm-1', 'vm-7').replaceAll('000000000011', '0000000000ff');
    const unsigned = UNSIGNED.body.replaceAll('000000000011', '0000000000fe');
    await world.publish(POLLING.body, forged, unsigned, POLLING.body);
    const sampleSignatures = { secrets: ['newer', POLLING.secret], acceptUnsigned: false };
    const leg = await world.drain({ signers, sampleSignatures });
    assert.deepEqual([leg.samples, leg.duplicates, leg.quarantined], [5, 1, 2]);
    const reasons = (await quarantined()).map(({ reason, place }) => [reason, place]);
    assert.deepEqual(reasons.slice(0, 2), [
      ['signature_invalid', 'samples[0].message_signature'],
      ['signature_invalid', 'samples[0].message_signature'],
    ]);
    const { rows } = await world.pool.query<{ meter: string; volume: string; resource_id: string }>(
      `SELECT meter, volume::text AS volume, resource_id FROM samples
       JOIN series USING (series_id) ORDER BY resource_id`,
    );
    assert.deepEqual(rows, [
      { meter: 'cpu', volume: '9007199254740993', resource_id: 'vm-1' },
      { meter: 'cpu', volume: '12', resource_id: 'vm-2' },
      { meter: 'memory.usage', volume: '0.30000000000000004', resource_id: 'vm-3' },
      { meter: 'disk.device.read.bytes', volume: '0', resource_id: 'vm-4' },
      { meter: 'power', volume: '10000000000000000000000', resource_id: 'vm-5' },
    ]);
  });

  test('are taken without a signature where the deployer said so', async () => {
    const unsigned = UNSIGNED.body.replaceAll('000000000011', '0000000000fd');
    await world.publish(unsigned);
    const sampleSignatures = { secrets: [], acceptUnsigned: true };
    assert.equal((await world.drain({ signers, sampleSignatures })).samples, 5);
  });

  test('are in the log as all others are', async () => {
    const log = await verifyLog(databaseLog(world.pool, 0), { vkeys: [SIGNER.vkey] });
    assert(log.ok, log.ok ? '' : log.message);
    assert.equal(log.kinds['sample'], 10);
  });
});
