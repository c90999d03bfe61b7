/**
 * `npm run bench -- ingest`: samples a second from the first pull to the last acknowledgement, through the
 * real worker on its own PostgreSQL, nats-server and Temporal, beside a bare `unnest` insert of the same
 * rows into a copy of the same table.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Pool } from 'pg';
import { STAGES } from '../activities/stage_clock.ts';
import { connectBus } from '../bus/connection.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { ensureIntakeStream } from '../bus/streams.ts';
import { INTAKE_STREAM } from '../bus/subjects.ts';
import { WORKER_NODE_ARGS } from '../cli/own_program.ts';
import { createDatabase } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../db/partitions.ts';
import { storageReport } from '../db/storage_report.ts';
import { generateSigningKey } from '../ledger/signer.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { startNats } from '../test/support/nats_server.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { startTemporal } from '../test/support/temporal_server.ts';
import { timeBareInsert } from './bare_insert.ts';
import { makeFleet } from './fleet.ts';
import type { BenchWorkerInput } from './ingest_worker.ts';

export interface IngestBenchOptions {
  notifications: number;
  /** How often as many are sent: the first wave is the figure, the others show that memory stays flat. */
  waves: number;
  shards: number;
  /** Worker processes, which share the shards. */
  workers: number;
}

export interface IngestFigures {
  samples_per_second: number;
  bare_insert_per_second: number;
  ratio: number;
  worker_rss_mb: number;
  bytes_per_sample: number;
}

interface Wave {
  seconds: number;
  samples: number;
  rssMb: number;
}

type Say = (line: string) => void;

export async function benchIngest(options: IngestBenchOptions, say: Say): Promise<IngestFigures> {
  say('starting PostgreSQL, nats-server and Temporal');
  const postgres = await startPostgres({ isPrivate: true, settings: ['shared_buffers=512MB'] });
  const nats = await startNats();
  const temporal = await startTemporal();
  const db = createDatabase(postgres.url);
  const bus = await connectBus({ url: nats.url, name: 'bench' });
  try {
    await migrate(db.pool);
    await ensurePartitions(db.pool, partitionSpan(formatMillis(Date.now())));
    const jsm = await jetstreamManager(bus);
    await ensureIntakeStream(jsm, { shards: options.shards, maxBytes: 2 * 1024 ** 3 });
    const publisher = new IntakePublisher(bus, { shards: options.shards });
    await publishWave(publisher, options, 0);
    say(`${options.notifications} notifications wait; starting the workers`);
    const input: BenchWorkerInput = {
      databaseUrl: postgres.url,
      natsUrl: nats.url,
      temporalAddress: temporal.address,
      shards: options.shards,
      maxLegs: Math.ceil(options.shards / options.workers),
      signingKey: generateSigningKey(),
    };
    const workers = await Promise.all(
      Array.from({ length: options.workers }, () => BenchWorker.start(input)),
    );
    const waves: Wave[] = [];
    for (let wave = 0; wave < options.waves; wave += 1) {
      if (wave > 0) await publishWave(publisher, options, wave);
      waves.push(await measureWave(jsm, db.pool, workers));
      sayWave(say, wave, waves.at(-1));
    }
    for (const worker of workers) sayStages(say, await worker.stop());
    return await figuresOf(db.pool, waves, say);
  } finally {
    await bus.close();
    await db.close();
    await temporal.stop();
    await nats.stop();
    await postgres.stop();
  }
}

async function publishWave(
  publisher: IntakePublisher,
  { notifications }: IngestBenchOptions,
  wave: number,
): Promise<void> {
  const fleet = makeFleet({
    seed: 1,
    count: notifications,
    first: wave * notifications,
    startMs: Date.now() - 6 * 86_400_000,
  });
  const outcomes = await publisher.publishAll(
    fleet.map(({ body }) => ({ bytes: body, via: 'demo' as const })),
  );
  const refused = outcomes.find((outcome) => outcome.status === 'refused');
  if (refused !== undefined) throw refused.error;
}

/** From the moment that the first message is out to the one at which all are acknowledged. */
async function measureWave(
  jsm: JetStreamManager,
  pool: Pool,
  workers: readonly BenchWorker[],
): Promise<Wave> {
  const before = await countSamples(pool);
  const { state } = await jsm.streams.info(INTAKE_STREAM);
  await until(async () => (await unsettled(jsm)).pending < state.messages);
  const started = performance.now();
  await until(async () => {
    for (const worker of workers) worker.observeMemory();
    const left = await unsettled(jsm);
    return left.pending + left.unacknowledged === 0;
  });
  const seconds = (performance.now() - started) / 1_000;
  const rssMb = Math.max(...workers.map((worker) => worker.takePeakMb()));
  return { seconds, samples: await countSamples(pool) - before, rssMb };
}

async function unsettled(
  jsm: JetStreamManager,
): Promise<{ pending: number; unacknowledged: number }> {
  let [pending, unacknowledged] = [0, 0];
  for await (const consumer of jsm.consumers.list(INTAKE_STREAM)) {
    pending += consumer.num_pending;
    unacknowledged += consumer.num_ack_pending;
  }
  return { pending, unacknowledged };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await delay(10);
}

async function countSamples(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM samples');
  return rows[0]?.n ?? 0;
}

async function figuresOf(pool: Pool, waves: readonly Wave[], say: Say): Promise<IngestFigures> {
  const [first] = waves;
  if (first === undefined) throw new Error('no wave was measured');
  const bare = await timeBareInsert(pool);
  const storage = await storageReport(pool);
  say(`bare insert: ${Math.round(bare)} samples/s`);
  say(`storage: ${JSON.stringify(storage)}`);
  const speed = first.samples / first.seconds;
  return {
    samples_per_second: Math.round(speed),
    bare_insert_per_second: Math.round(bare),
    ratio: Number((speed / bare).toFixed(3)),
    worker_rss_mb: Math.round(Math.max(...waves.map((wave) => wave.rssMb))),
    bytes_per_sample: Number(storage.perSample.total.toFixed(1)),
  };
}

function sayWave(say: Say, index: number, wave: Wave | undefined): void {
  if (wave === undefined) return;
  say(
    `wave ${index + 1}: ${wave.samples} samples in ${wave.seconds.toFixed(2)} s = ${
      Math.round(wave.samples / wave.seconds)
    }/s, peak ${Math.round(wave.rssMb)} MB`,
  );
}

function sayStages(say: Say, stages: Readonly<Record<string, number>>): void {
  const total = STAGES.reduce((sum, stage) => sum + (stages[stage] ?? 0), 0);
  const shares = STAGES.map((stage) =>
    `${stage} ${Math.round(stages[stage] ?? 0)} ms (${
      Math.round(100 * (stages[stage] ?? 0) / total)
    } %)`
  );
  say(`stages, which overlap: ${shares.join(', ')}`);
}

/** The child process with the worker, its memory watched from outside. */
class BenchWorker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  #peakKb = 0;

  static async start(input: BenchWorkerInput): Promise<BenchWorker> {
    const script = fileURLToPath(new URL('./ingest_worker.ts', import.meta.url));
    const child = spawn(process.execPath, [
      ...WORKER_NODE_ARGS,
      '--import',
      'tsx',
      script,
      JSON.stringify(input),
    ], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.value !== 'ready') throw new Error('the worker did not start');
    return new BenchWorker(child, lines);
  }

  constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
    this.#ended = once(child, 'exit');
    process.once('exit', () => child.kill('SIGKILL'));
  }

  observeMemory(): void {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    this.#peakKb = Math.max(this.#peakKb, kilobytes);
  }

  /** The highest since the last call, in MB. */
  takePeakMb(): number {
    const peak = this.#peakKb / 1_000;
    this.#peakKb = 0;
    return peak;
  }

  async stop(): Promise<Record<string, number>> {
    this.#child.stdin?.end('stop\n');
    const { value } = await this.#lines.next();
    await this.#ended;
    return (JSON.parse(value as string) as { stages: Record<string, number> }).stages;
  }
}
