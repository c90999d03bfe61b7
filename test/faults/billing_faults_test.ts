/**
 * Seeded faults: a worker is killed at each step of closing statements and telling of them. Each number is
 * given once, each endpoint told at least once with one id, and the log holds what the tables say.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { amendsInSeed, BillingFaults, stepOfSeed } from '../support/billing_faults.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';
import { windowSkipReason } from '../support/window_world.ts';

/** Each step for a statement, and nearly each for an amendment; on Deno those that differ by the runtime. */
const SEEDS = 'Deno' in globalThis
  ? [4, 8, 9, 10, 12]
  : Array.from({ length: 25 }, (_, index) => index + 1);

describe(
  'billing survives its workers',
  { skip: windowSkipReason() || temporalSkipReason() },
  () => {
    let faults: BillingFaults | undefined;

    before(async () => {
      faults = await BillingFaults.start(SEEDS);
      await faults.strike();
      await faults.recover();
    });

    after(async () => {
      await faults?.stop();
    });

    for (const seed of SEEDS) {
      const what = amendsInSeed(seed) ? 'an amendment' : 'a statement';
      test(`${what}, killed when ${stepOfSeed(seed)}, is there once and was told of: seed ${seed}`, async () => {
        assert.deepEqual(await faults?.findFaults(seed), []);
      });
    }

    test('the log holds an entry of each statement, and every invariant', async () => {
      assert.deepEqual(await faults?.findCommonFaults(), []);
    });
  },
);
