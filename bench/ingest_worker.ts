/**
 * The worker under measurement: the real one, in a process of its own, with an ear for where time goes.
 * Started by bench/ingest.ts with its addresses as JSON; answers `stages` on standard input by a line.
 */
import process from 'node:process';
import { createInterface } from 'node:readline';
import { jetstreamManager } from '@nats-io/jetstream';
import type { Stage } from '../activities/stage_clock.ts';
import { closeBus, connectBus } from '../bus/connection.ts';
import { ensureIntakeStream } from '../bus/streams.ts';
import { runWorker } from '../cli/run_worker.ts';
import { createDatabase } from '../db/client.ts';
import { ingestDeps } from '../test/support/ingest_setup.ts';

export interface BenchWorkerInput {
  databaseUrl: string;
  natsUrl: string;
  temporalAddress: string;
  shards: number;
  maxLegs: number;
  /** One for all workers, as in a deployment. */
  signingKey: string;
}

async function main(): Promise<void> {
  const input = JSON.parse(process.argv[2] ?? '') as BenchWorkerInput;
  const db = createDatabase(input.databaseUrl, { poolSize: 2 * input.shards + 2 });
  const nats = await connectBus({ url: input.natsUrl, name: 'bench' });
  await ensureIntakeStream(await jetstreamManager(nats), {
    shards: input.shards,
    maxBytes: 2 * 1024 ** 3,
  });
  const stages = new Map<Stage, number>();
  const deps = ingestDeps({ pool: db.pool, nats, signingKey: input.signingKey });
  deps.log.error = (event, fields) => process.stderr.write(`${event} ${JSON.stringify(fields)}\n`);
  deps.metrics.stages = (_shard, spent) => {
    for (const [stage, milliseconds] of Object.entries(spent) as [Stage, number][]) {
      stages.set(stage, (stages.get(stage) ?? 0) + milliseconds);
    }
  };
  const worker = await runWorker(deps, {
    address: input.temporalAddress,
    namespace: 'default',
    shards: input.shards,
    maxLegs: input.maxLegs,
  });
  process.stdout.write('ready\n');
  for await (const _line of createInterface({ input: process.stdin })) break;
  const cpu = process.cpuUsage();
  await worker.stop();
  process.stdout.write(`${JSON.stringify({ stages: Object.fromEntries(stages), cpu })}\n`);
  await closeBus(nats);
  await db.close();
}

await main();
