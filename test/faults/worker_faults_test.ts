/**
 * Seeded faults: whatever happens to a worker and its servers, every notification is counted exactly
 * once, each log verifies and has not forked, and what was given away before still holds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runFaultSeed, scenarioOf } from '../support/fault_scenarios.ts';
import { makeTemplate } from '../support/fault_world.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';

const SEEDS = 25;

describe('ingest', { skip: postgresSkipReason() || natsSkipReason() }, () => {
  let postgres: PostgresServer;
  let template: string;

  before(async () => {
    postgres = await startPostgres({ fsync: false });
    template = await makeTemplate(postgres);
  });

  after(async () => {
    await postgres.stop();
  });

  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const repeat = `npm run soak -- --from ${seed} --seeds 1`;
    test(`counts every notification exactly once: ${scenarioOf(seed)} (${repeat})`, async () => {
      assert.deepEqual(await runFaultSeed(seed, { postgres, template }), [], repeat);
    });
  }
});
