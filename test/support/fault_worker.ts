/**
 * The worker of the fault tests, a process of its own so that SIGKILL ends it truly. Its plan is its
 * only argument, JSON; it reports one JSON object a line, and ends when its input does.
 */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { ingestFailure } from '../../activities/failures.ts';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { runLeg } from '../../activities/ingest_leg.ts';
import { closeBus, connectBus } from '../../bus/connection.ts';
import { openIntakePuller } from '../../bus/puller.ts';
import { trimIntake } from '../../bus/trim.ts';
import { createDatabase } from '../../db/client.ts';
import { type FaultPlan, FaultTrigger, watchPool, watchPuller } from './fault_steps.ts';
import { fleetDefinitions } from './fault_workload.ts';
import { ingestDeps } from './ingest_setup.ts';

export interface FaultWorkerPlan {
  databaseUrl: string;
  natsUrl: string;
  /** PKCS#8 PEM. */
  signingKey: string;
  shards: number;
  /** Messages at most in a batch. */
  batchSize: number;
  /** Seconds that a leg lasts. */
  legSeconds: number;
  fault: FaultPlan | null;
  /** Null: leg after leg without Temporal, as its actor would order them, until the intake is empty. */
  temporal: { address: string; bundlePath: string; legsPerRun: number } | null;
  /** A worker as it must not be, which the checks of these tests have to find out. */
  acknowledgesBeforeCommit: boolean;
}

export type FaultWorkerEvent =
  | { event: 'ready' | 'drained' }
  | { event: 'batch'; shard: number; samples: number }
  | { event: 'struck'; step: string; action: 'kill' | 'stop' }
  | { event: 'leg_failed'; shard: number; code: string; message: string; halting: boolean };

const plan = JSON.parse(process.argv[2] ?? '') as FaultWorkerPlan;
process.stdin.resume().once('end', () => process.exit(0));

const trigger = new FaultTrigger(plan.fault);
const db = createDatabase(plan.databaseUrl, { applicationName: 'fault-worker' });
const nats = await connectBus({ url: plan.natsUrl, name: 'fault-worker' });
const jsm = await jetstreamManager(nats);
const usual = ingestDeps({
  pool: watchPool(db.pool, trigger),
  nats,
  signingKey: plan.signingKey,
  readDefinitions: fleetDefinitions,
});
const deps: IngestDeps = {
  ...usual,
  // Hardly anything is kept, so that trimming too much would be noticed.
  trimIntake: async () => {
    await trimIntake(nats, jsm, { keepBytes: 10_000 });
  },
  openPuller: async (shard) => {
    const puller = watchPuller(await openIntakePuller(nats, shard), trigger, plan.batchSize);
    if (!plan.acknowledgesBeforeCommit) return puller;
    return {
      ...puller,
      pull: async (options) => {
        const messages = await puller.pull(options);
        for (const message of messages) message.ack();
        await nats.flush();
        return messages;
      },
    };
  },
  metrics: {
    ...usual.metrics,
    batchStored: (shard, { samples }) => report({ event: 'batch', shard, samples }),
  },
};
if (plan.temporal === null) {
  report({ event: 'ready' });
  await Promise.all(Array.from({ length: plan.shards }, (_, shard) => runLegs(shard)));
  report({ event: 'drained' });
  await closeBus(nats);
  await db.close();
  process.exit(0);
} else {
  const { runWorker } = await import('../../cli/run_worker.ts');
  const worker = await runWorker(deps, {
    address: plan.temporal.address,
    namespace: 'default',
    shards: plan.shards,
    legSeconds: plan.legSeconds,
    legsPerRun: plan.temporal.legsPerRun,
    workflowBundle: { codePath: plan.temporal.bundlePath },
  });
  report({ event: 'ready' });
  await worker.ended;
}

async function runLegs(shard: number): Promise<void> {
  for (;;) {
    try {
      const input = { shard, seconds: plan.legSeconds, drain: true };
      const receipt = await runLeg(deps, input, { stopped: () => false, heartbeat: () => {} });
      if (receipt.drained) return;
    } catch (error) {
      const { type, message, nonRetryable } = ingestFailure(error);
      report({
        event: 'leg_failed',
        shard,
        code: type ?? '',
        message,
        halting: nonRetryable === true,
      });
      if (nonRetryable === true) process.exit(3);
      // Two workers that fence each other out must not keep step.
      await delay(20 + Math.random() * 200);
    }
  }
}

function report(event: FaultWorkerEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
