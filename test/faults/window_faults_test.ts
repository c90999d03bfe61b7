/**
 * Seeded faults: whatever ends a worker at whatever step of sealing and revising, and whoever else is at it,
 * each hour is sealed once, the log verifies, and the windows are what the samples come to.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../cli/demo/random.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { readLog } from '../../db/logs.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../../meters/timestamp.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { testSigner } from '../support/test_signer.ts';
import { WindowFaultChild } from '../support/window_fault_child.ts';
import { WINDOW_FAULT_STEPS } from '../support/window_fault_steps.ts';
import {
  MODEL_HOURS,
  MODEL_START,
  modelSamples,
  naiveWindows,
  storedWindows,
} from '../support/window_model.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const SPAN = { from: '2026-10-01T00:00:00.000000Z', to: '2026-12-01T00:00:00.000000Z' };
const NOW = Date.parse('2026-11-02T00:00:00Z');
/** Each step once, and on from there; on Deno, whose workers are the same, a few of them. */
const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1)
  .filter((seed) => !('Deno' in globalThis) || [1, 8, 17].includes(seed));
/** Steps that a run may come to but once. */
const SELDOM: ReadonlySet<string> = new Set([
  'rules_written',
  'read_late',
  'revision_written',
  'rollups_written',
]);
/** Seeds whose worker hangs instead: one within a transaction, which the server ends after ten seconds. */
const HANGING: ReadonlySet<number> = new Set([4, 8, 20]);

describe('windows are sealed once and revised rightly', { skip: windowSkipReason() }, () => {
  let postgres: PostgresServer;

  before(async () => {
    postgres = await startPostgres({ fsync: false });
    await (await WindowWorld.on(postgres.url, NOW, { span: SPAN })).stop();
  });

  after(async () => {
    await postgres?.stop();
  });

  for (const seed of SEEDS) {
    const step = WINDOW_FAULT_STEPS[(seed - 1) % WINDOW_FAULT_STEPS.length] ?? 'locked';
    const action = HANGING.has(seed) ? 'stop' : 'kill';
    test(`whatever happens: ${action} at ${step}, seed ${seed}`, async () => {
      const random = new SeededRandom(`windows ${seed}`);
      const databaseUrl = await postgres.createDatabase({ template: postgres.url });
      const world = await WindowWorld.on(databaseUrl, NOW, { span: SPAN });
      try {
        const samples = manySamples(seed);
        const half = Math.floor(samples.length / 2);
        await world.append(samples.slice(0, half));
        // Some hours are sealed before, so that what comes then is late; but for what is done once for ever.
        if (step !== 'rules_written') await sealTo(world, random.between(2, 20));
        await world.append(samples.slice(half));
        await struckRun(world, databaseUrl, {
          hours: random.between(22, 36),
          fault: { step, action, occurrence: SELDOM.has(step) ? 1 : random.between(1, 3) },
        });
        await sealTo(world, MODEL_HOURS);
        await check(world, samples);
      } finally {
        await world.stop();
      }
    });
  }
});

/** A run that is struck; if it only hangs, another one does its work, and it wakes up afterwards. */
async function struckRun(
  world: WindowWorld,
  databaseUrl: string,
  { hours, fault }: { hours: number; fault: NonNullable<FaultOfPlan> },
): Promise<void> {
  const size = (await readLog(world.pool, 0))?.size ?? 0;
  const until = hourAt(hours);
  const child = new WindowFaultChild({ databaseUrl, nowMs: NOW, size, until, fault });
  await child.struck();
  assert.equal(
    child.events[0]?.event,
    'struck',
    `${fault.step}: ${JSON.stringify(child.events)} ${child.errors()}`,
  );
  if (fault.action === 'kill') {
    assert.equal(await child.ended, 'SIGKILL');
    return;
  }
  // One that hangs within a transaction holds the log: the server ends its session after some seconds.
  await sealTo(world, hours);
  child.wakeUp();
  await child.ended;
}

type FaultOfPlan = ConstructorParameters<typeof WindowFaultChild>[0]['fault'];

async function sealTo(world: WindowWorld, hours: number): Promise<void> {
  const keeper = await world.begin();
  const { scanned_to: size } = await world.revise();
  const from = (await world.begin())?.sealedUntil ?? keeper?.sealedUntil ?? '';
  await world.seal({ from, to: hourAt(hours), size });
}

function hourAt(hours: number): string {
  return formatMicros(toMicros(MODEL_START) + BigInt(hours) * HOUR_MICROS);
}

function manySamples(seed: number): WorldSample[] {
  const sets = fc.sample(modelSamples, { seed, numRuns: 4 });
  return sets.flatMap((samples, set) =>
    samples.map((sample) => ({ ...sample, origin: `${set} ${sample.origin}` }))
  );
}

async function check(world: WindowWorld, samples: readonly WorldSample[]): Promise<void> {
  const naive = naiveWindows(samples, world.rules, hourAt(MODEL_HOURS));
  const stored = await storedWindows(world.pool);
  assert.deepEqual(stored, naive);
  assert.deepEqual(await brokenInvariants(world.pool), []);
  const verified = await verifyLog(databaseLog(world.pool, 0), { vkeys: [testSigner().vkey] });
  assert.equal(verified.ok, true, JSON.stringify(verified));
}
