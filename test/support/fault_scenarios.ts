/** What may happen to a worker, chosen by seed. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { SeededRandom } from '../../cli/demo/random.ts';
import type { FaultChild } from './fault_child.ts';
import { FAULT_STEPS, type FaultPlan, type FaultStep } from './fault_steps.ts';
import type { FaultTemporal } from './fault_temporal.ts';
import { FaultWorld, makeTemplate } from './fault_world.ts';
import { makeWorkload, type Workload } from './fault_workload.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';

/** Servers that the scenarios of a process share. */
export interface FaultServers {
  postgres: PostgresServer;
  template: string;
  temporal: FaultTemporal;
}

interface Scene {
  world: FaultWorld;
  workload: Workload;
  random: SeededRandom;
  /** The cluster of this world: with some scenarios its own. */
  postgres: PostgresServer;
  temporal: FaultTemporal;
}

type Scenario = (scene: Scene) => Promise<void>;

/** Batches are small, so that a few hundred notifications pass every step often. */
const NOTIFICATIONS = 180;

const killAt = (step: FaultStep): Scenario => async ({ world, random }) => {
  const occurrence = SELDOM.has(step) ? 1 : random.between(1, 4);
  const child = world.startWorker({
    batchSize: random.between(8, 60),
    legSeconds: 1,
    fault: { step, occurrence, action: 'kill' },
  });
  assert.equal(await child.ended, 'SIGKILL', `${step} was not reached: ${child.errors()}`);
};

/** Steps that come once a leg, or once for ever. */
const SELDOM: ReadonlySet<FaultStep> = new Set(['opening', 'opened', 'recording', 'leg_ended']);

/** Steps that a batch passes which holds nothing new. */
const REACHED_BY_DUPLICATES = ['pulled', 'locked', 'committing', 'committed', 'flushed'] as const;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...Object.fromEntries(FAULT_STEPS.map((step) => [`kill_at_${step}`, killAt(step)])),
  nats_killed: async ({ world, random }) => {
    const child = await busyWorker(world, random);
    await world.nats.kill();
    await delay(random.between(0, 500));
    await world.nats.start();
    await endOf(child);
  },
  nats_restarted: async ({ world, random }) => {
    const child = await busyWorker(world, random);
    await world.nats.shutDown();
    await world.nats.start();
    await endOf(child);
  },
  connections_cut: async ({ world, random }) => {
    const child = await busyWorker(world, random);
    for (let cut = 0; cut < 3; cut += 1) {
      await cutConnections(world);
      await delay(random.between(0, 150));
    }
    await endOf(child);
  },
  postgres_killed: async ({ world, random, postgres }) => {
    const child = await busyWorker(world, random);
    await postgres.crash();
    await endOf(child);
  },
  postgres_restarted: async ({ world, random, postgres }) => {
    const child = await busyWorker(world, random);
    await postgres.restart();
    await endOf(child);
  },
  two_workers: async ({ world, random }) => {
    const options = { batchSize: random.between(8, 30), legSeconds: 1 };
    const rivals = [world.startWorker(options), world.startWorker(options)];
    for (const rival of rivals) await endOf(rival);
  },
  actor_loses_worker: async ({ world, random, temporal }) => {
    await killUnderTemporal(world, temporal, {
      step: random.pick(FAULT_STEPS.filter((step) => !SELDOM.has(step))),
      occurrence: random.between(1, 3),
      action: 'kill',
    });
  },
  actor_continues_as_new: async ({ world, random, temporal }) => {
    await killUnderTemporal(world, temporal, {
      step: 'leg_ended',
      occurrence: random.between(1, 3),
      action: 'kill',
      delayMs: random.between(0, 100),
    });
  },
  temporal_killed: async ({ world, random, temporal }) => {
    const worker = await temporal.startWorker(world, { batchSize: random.between(5, 20) });
    await worker.reported('batch', random.between(1, 4));
    await temporal.server.kill();
    await delay(random.between(0, 2_000));
    await temporal.server.start();
    await world.intakeIsEmpty();
    await temporal.endActors(world.shards);
    await worker.kill();
  },
  worker_hangs: async ({ world, random }) => {
    const child = world.startWorker({
      // PostgreSQL cuts off who holds the log's lock and does nothing.
      databaseUrl: `${world.databaseUrl}?idle_in_transaction_session_timeout=1500`,
      batchSize: random.between(8, 40),
      fault: {
        step: random.pick(['opening', 'locked', 'inserted', 'committing'] as const),
        occurrence: 1,
        action: 'stop',
      },
    });
    await child.reported('struck');
    await world.drain();
    child.wakeUp();
    await endOf(child);
  },
  worker_comes_back: async ({ world, workload, random }) => {
    const step = random.pick(['pulled', 'learned', 'committed'] as const);
    const child = world.startWorker({
      batchSize: random.between(8, 40),
      legSeconds: 600,
      // While a later batch is pulled, the one before may be in its transaction, which would be cut off.
      fault: { step, occurrence: step === 'committed' ? random.between(1, 3) : 1, action: 'stop' },
    });
    await child.reported('struck');
    // Everything is done by somebody else, under a newer epoch, before the first one wakes up.
    await world.drain();
    await world.publish(workload.during.slice(0, 20));
    child.wakeUp();
    // Of the other shard, which may be stopped inside its transaction, the server has ended the session.
    await fencedOut(child);
    await child.kill();
  },
};

/** The actors lose their worker, each of their runs being one leg long, and another takes over. */
async function killUnderTemporal(
  world: FaultWorld,
  temporal: FaultTemporal,
  fault: FaultPlan,
): Promise<void> {
  const options = { batchSize: 20, legSeconds: 1 };
  const first = await temporal.startWorker(world, { ...options, fault });
  assert.equal(await first.ended, 'SIGKILL', `${fault.step} was not reached: ${first.errors()}`);
  const second = await temporal.startWorker(world, options);
  await world.intakeIsEmpty();
  await temporal.endActors(world.shards);
  await second.kill();
}

async function busyWorker(world: FaultWorld, random: SeededRandom): Promise<FaultChild> {
  const child = world.startWorker({ batchSize: random.between(5, 20), legSeconds: 2 });
  await child.reported('batch', random.between(1, 4));
  return child;
}

async function fencedOut(child: FaultChild): Promise<void> {
  for (let failures = 1;; failures += 1) {
    await child.reported('leg_failed', failures);
    if (child.events.some((one) => one.event === 'leg_failed' && one.code === 'log_fenced')) return;
  }
}

async function endOf(child: FaultChild): Promise<void> {
  await child.reported('drained');
  assert.equal(await child.ended, '0', child.errors());
}

async function cutConnections(world: FaultWorld): Promise<void> {
  await world.db.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'fault-worker'`,
  );
}

/** Which need a PostgreSQL of their own, since they end it. */
const OWN_POSTGRES: ReadonlySet<string> = new Set(['postgres_killed', 'postgres_restarted']);

/** Which need Temporal, one at a time: the ids of actors are business ids. */
const NEED_TEMPORAL: ReadonlySet<string> = new Set([
  'actor_loses_worker',
  'actor_continues_as_new',
  'temporal_killed',
]);

export const SCENARIO_NAMES: readonly string[] = Object.keys(SCENARIOS);

export function scenarioOf(seed: number): string {
  return SCENARIO_NAMES[(seed - 1) % SCENARIO_NAMES.length] ?? '';
}

export function needsTemporal(seed: number): boolean {
  return NEED_TEMPORAL.has(scenarioOf(seed));
}

/** Runs the scenario of a seed. @returns what is wrong afterwards, nothing if all is well */
export async function runFaultSeed(seed: number, servers: FaultServers): Promise<string[]> {
  const name = scenarioOf(seed);
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`no scenario '${name}'`);
  const random = new SeededRandom(`${seed}/${name}`);
  const own = OWN_POSTGRES.has(name)
    ? await startPostgres({ isPrivate: true, fsync: false })
    : null;
  const postgres = own ?? servers.postgres;
  const template = own === null ? servers.template : await makeTemplate(own);
  const world = await FaultWorld.create({
    seed: String(seed),
    shards: random.between(1, 2),
    databaseUrl: await postgres.createDatabase({ template }),
  });
  try {
    const workload = makeWorkload(String(seed), NOTIFICATIONS);
    if (name === 'kill_at_recording') workload.before = [];
    await world.publish(workload.before);
    if (workload.before.length > 0) await world.drain();
    await world.gatherEvidence();
    await world.publish(workload.during);
    const scene = { world, workload, random, postgres, temporal: servers.temporal };
    await scenario(scene);
    await world.gatherEvidence();
    if (random.next() < 0.3) {
      await world.publish(workload.during);
      await killAt(random.pick(REACHED_BY_DUPLICATES))(scene);
      await world.gatherEvidence();
    }
    await world.drain();
    return await world.findFaults(workload.parcels);
  } finally {
    await world.close();
    await own?.stop();
  }
}
