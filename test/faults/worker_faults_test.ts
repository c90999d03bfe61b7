/**
 * Seeded faults: whatever happens to a worker and its servers, every notification is counted exactly
 * once, each log verifies and has not forked, and what was given away before still holds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type FaultLanes, startFaultLanes } from '../support/fault_lanes.ts';
import { scenarioOf } from '../support/fault_scenarios.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { postgresSkipReason } from '../support/postgres.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';

/**
 * One for each scenario; `npm run soak` goes on from there. On Deno those that differ by what the runtime
 * does itself: signals, sockets, and the worker of Temporal.
 */
const SEEDS = 'Deno' in globalThis
  ? [3, 7, 9, 11, 15, 17, 20, 21, 22, 25]
  : Array.from({ length: 25 }, (_, index) => index + 1);

const skip = postgresSkipReason() || natsSkipReason() || temporalSkipReason();

describe('ingest counts every notification exactly once', { skip }, () => {
  let lanes: FaultLanes | undefined;

  before(async () => {
    lanes = await startFaultLanes(SEEDS);
  });

  after(async () => {
    await lanes?.stop();
  });

  for (const seed of SEEDS) {
    test(`whatever happens: ${scenarioOf(seed)}, seed ${seed}`, async () => {
      const repeat = `repeat it by: npm run soak -- --from ${seed} --seeds 1`;
      const faults = await lanes?.outcomes.get(seed)?.catch((error: unknown) => {
        throw new Error(`Seed ${seed} failed, ${repeat}`, { cause: error });
      });
      assert.deepEqual(faults, [], repeat);
    });
  }
});
