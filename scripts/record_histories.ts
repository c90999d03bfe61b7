/**
 * Records a history of each workflow in each of its cases, by running it on a real Temporal with a real
 * intake and database: `node --import tsx scripts/record_histories.ts`.
 *
 * Run it when a workflow has changed on purpose, and keep the older files: actors of older versions are
 * still running somewhere, and must replay.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { NephoError } from '../meters/errors.ts';
import { PROJECT_DIR } from '../cli/env.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import { type ActorOptions, TestActor } from '../test/support/actor_setup.ts';
import { FaultTemporal } from '../test/support/fault_temporal.ts';
import { FaultWorld, makeTemplate } from '../test/support/fault_world.ts';
import { makeWorkload } from '../test/support/fault_workload.ts';
import { startPostgres } from '../test/support/postgres.ts';

const FOLDER = join(PROJECT_DIR, 'test', 'replay', 'histories');
const NOTIFICATIONS = 40;

interface Case {
  options: ActorOptions;
  /** What is changed about the worker. */
  prepare?: (world: FaultWorld) => FaultWorld['deps'];
  /** What happens; ends when the history is worth keeping. */
  play: (actor: TestActor, world: FaultWorld) => Promise<void>;
}

const MANY_LEGS: ActorOptions = { legSeconds: 1, legsPerRun: 100 };

const CASES: Readonly<Record<string, Case>> = {
  plain: {
    options: MANY_LEGS,
    play: async (actor) => {
      await actor.until(({ totals }) => totals.legs >= 3);
    },
  },
  paused_and_resumed: {
    options: { legSeconds: 30, legsPerRun: 100 },
    play: async (actor) => {
      await actor.handle.signal('pause', 'to be recorded');
      await actor.until(({ mode, leg_running }) => mode === 'paused' && !leg_running);
      await actor.handle.signal('resume');
      await actor.until(({ leg_running }) => leg_running);
      await actor.handle.signal('pause');
      await actor.until(({ totals }) => totals.legs >= 2);
    },
  },
  drained: {
    options: { legSeconds: 30, legsPerRun: 100 },
    play: async (actor) => {
      await actor.handle.signal('drain');
      await actor.until(({ reason }) => reason === 'drained');
    },
  },
  leg_retried: {
    options: MANY_LEGS,
    prepare: ({ deps }) => {
      let failures = 2;
      return {
        ...deps,
        openPuller: async (shard) => {
          failures -= 1;
          if (failures >= 0) {
            throw new NephoError('bus_unavailable', 'Cannot pull: this is a rehearsal', {
              retryable: true,
            });
          }
          return await deps.openPuller(shard);
        },
      };
    },
    play: async (actor) => {
      await actor.until(({ totals }) => totals.legs >= 2);
    },
  },
  halted_and_resumed: {
    options: MANY_LEGS,
    play: async (actor, world) => {
      await actor.handle.signal('pause');
      await actor.until(({ leg_running }) => !leg_running);
      const { pool } = world.db;
      await pool.query('CREATE TABLE kept AS SELECT root FROM logs');
      await pool.query(`UPDATE logs SET root = sha256('elsewhere')`);
      await actor.handle.signal('resume');
      await actor.until(({ mode }) => mode === 'halted');
      await pool.query('UPDATE logs SET root = kept.root FROM kept');
      await actor.handle.signal('resume');
      await actor.until(({ totals }) => totals.legs >= 3);
    },
  },
  continued_as_new: {
    options: { legSeconds: 1, legsPerRun: 2 },
    play: async (actor) => {
      await actor.until(({ totals }) => totals.legs >= 5);
    },
  },
};

async function record(): Promise<void> {
  const manifest = JSON.parse(await readFile(join(PROJECT_DIR, 'package.json'), 'utf8'));
  const { version } = manifest as { version: string };
  await mkdir(FOLDER, { recursive: true });
  const [postgres, temporal] = await Promise.all([
    startPostgres({ fsync: false }),
    FaultTemporal.start(),
  ]);
  const template = await makeTemplate(postgres);
  for (const [name, recorded] of Object.entries(CASES)) {
    const databaseUrl = await postgres.createDatabase({ template });
    const world = await FaultWorld.create({ seed: name, shards: 1, databaseUrl });
    await world.publish(makeWorkload(name, NOTIFICATIONS).parcels);
    const deps = recorded.prepare?.(world) ?? world.deps;
    const actor = await TestActor.start(temporal, deps, recorded.options);
    await recorded.play(actor, world);
    await save(`ingestShard_${version}_${name}`, temporal, actor.handle.workflowId);
    if (name === 'plain') {
      await recordMaintenance(temporal, `maintainStorageOnce_${version}_plain`);
    }
    await actor.stop();
    await world.close();
  }
  await temporal.stop();
  await postgres.stop();
}

async function recordMaintenance(temporal: FaultTemporal, name: string): Promise<void> {
  const connection = await Connection.connect({ address: temporal.server.address });
  const workflowId = 'maintenance-recorded';
  await new Client({ connection }).workflow.execute('maintainStorageOnce', {
    workflowId,
    taskQueue: TASK_QUEUES.control,
  });
  await connection.close();
  await save(name, temporal, workflowId);
}

async function save(name: string, temporal: FaultTemporal, workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address: temporal.server.address });
  const history = await new Client({ connection }).workflow.getHandle(workflowId).fetchHistory();
  await connection.close();
  // Where it was recorded is nobody's business.
  const text = JSON.stringify(historyToJSON(history), null, 1)
    .replaceAll(hostname(), 'recorder')
    .replaceAll(`${PROJECT_DIR}/`, '')
    .replaceAll(PROJECT_DIR, '')
    .replaceAll(`${process.pid}@`, '1@');
  await writeFile(join(FOLDER, `${name}.json`), `${text}\n`);
  process.stdout.write(`${name}: ${history.events?.length} events\n`);
}

await record();
// Temporal's native runtime would keep the process.
process.exit(0);
