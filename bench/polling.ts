/**
 * `npm run bench -- polling`: a cloud of 10,000 instances, polled once a minute by the real poller through
 * real Temporal Schedules, its readings taken in by the real ingest worker beside it. Each part is a
 * process of its own, so that the figures are the poller's alone.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { Client, Connection } from '@temporalio/client';
import { applySources } from '../api/source_plan.ts';
import type { SourceSpec } from '../api/source_schema.ts';
import { closeBus, connectBus } from '../bus/connection.ts';
import { ensureIntakeStream } from '../bus/streams.ts';
import { childEnvironment } from '../cli/env.ts';
import { ownCommand, ownProgram } from '../cli/own_program.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../db/partitions.ts';
import { generateSigningKey } from '../ledger/signer.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { CLOUD_USER } from '../test/support/cloud_api.ts';
import { startNats } from '../test/support/nats_server.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { startTemporal } from '../test/support/temporal_server.ts';
import { MeasuredProcess } from './measured_process.ts';

export interface PollingBenchOptions {
  instances: number;
  /** Cycles that are measured, after one that is not. */
  cycles: number;
  intervalSeconds: number;
}

export interface PollingFigures {
  cycle_p50_s: number;
  cycle_p95_s: number;
  /** The poller's time on cores by the time that passed. */
  core_share: number;
  rss_mb: number;
  samples_per_cycle: number;
  requests_per_cycle: number;
  gaps: number;
}

type Say = (line: string) => void;

/** Twenty of each instance: six of the listing, thirteen of its diagnostics, one of its port. */
const METERS = [
  'instance',
  'memory',
  'vcpus',
  'disk.root.size',
  'disk.ephemeral.size',
  'power.state',
  'cpu',
  ...['read', 'write'].flatMap((way) => [
    `disk.device.${way}.bytes`,
    `disk.device.${way}.requests`,
  ]),
  ...['incoming', 'outgoing'].flatMap((way) => [
    `network.${way}.bytes`,
    `network.${way}.packets`,
    `network.${way}.packets.drop`,
    `network.${way}.packets.error`,
  ]),
  'port',
];
const CLOUD = 'bench';
const SHARDS = 2;

export async function benchPolling(
  options: PollingBenchOptions,
  say: Say,
): Promise<PollingFigures> {
  say('starting PostgreSQL, nats-server, Temporal and the cloud');
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const postgres = await startPostgres({ isPrivate: true, settings: ['shared_buffers=512MB'] });
    closers.push(() => postgres.stop());
    const nats = await startNats();
    closers.push(() => nats.stop());
    const temporal = await startTemporal();
    closers.push(() => temporal.stop());
    const cloud = new MeasuredProcess(
      ownProgram('bench/cloud_server.ts', String(options.instances)),
      childEnvironment({}),
    );
    closers.push(() => cloud.stop());
    const authUrl = await cloud.line();
    const db = createDatabase(postgres.url);
    closers.push(() => db.close());
    await prepare(db, nats.url);
    const folder = await mkdtemp(path.join(tmpdir(), 'nepho-bench-'));
    closers.push(() => rm(folder, { recursive: true }));
    const environment = childEnvironment({
      NEPHO_HOME: folder,
      NEPHO_POLLING_FILE: await writePolling(folder, authUrl, options),
      // Read by the poller by this name, as its polling.yaml says.
      BENCH_CLOUD_PASSWORD: CLOUD_USER.password,
      DATABASE_URL: postgres.url,
      NEPHO_NATS_URL: nats.url,
      NEPHO_TEMPORAL_ADDRESS: temporal.address,
      NEPHO_SHARDS: String(SHARDS),
      NEPHO_SIGNING_KEY: generateSigningKey(),
      NEPHO_LOG_LEVEL: 'error',
    });
    const worker = new MeasuredProcess(ownCommand('worker'), environment);
    closers.push(() => worker.stop('SIGTERM'));
    await worker.line();
    const poller = new MeasuredProcess(ownCommand('poller'), environment);
    closers.push(() => poller.stop('SIGTERM'));
    await poller.line();
    await apply(db, temporal.address, options);
    return await measure({ db, poller }, options, say);
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

async function prepare(db: Database, natsUrl: string): Promise<void> {
  await migrate(db.pool);
  await ensurePartitions(db.pool, partitionSpan(formatMillis(Date.now())));
  const bus = await connectBus({ url: natsUrl, name: 'bench' });
  await ensureIntakeStream(await jetstreamManager(bus), {
    shards: SHARDS,
    maxBytes: 2 * 1024 ** 3,
  });
  await closeBus(bus);
}

async function writePolling(
  folder: string,
  authUrl: string,
  { intervalSeconds }: PollingBenchOptions,
): Promise<string> {
  const file = path.join(folder, 'polling.yaml');
  await writeFile(
    file,
    JSON.stringify({
      clouds: {
        [CLOUD]: {
          auth_url: authUrl,
          username: CLOUD_USER.name,
          password_env: 'BENCH_CLOUD_PASSWORD',
          project_name: 'service',
          region_name: 'RegionOne',
        },
      },
      sources: [{ name: 'instances', interval: intervalSeconds, meters: METERS }],
    }),
  );
  return file;
}

async function apply(
  db: Database,
  temporalAddress: string,
  { intervalSeconds }: PollingBenchOptions,
): Promise<void> {
  const spec: SourceSpec = {
    cloud: CLOUD,
    name: 'instances',
    interval: intervalSeconds,
    meters: METERS,
    resources: [],
    discovery: [],
    groups: 1,
    concurrency: 16,
    expect: [],
  };
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    const schedules = new Client({ connection }).schedule;
    await applySources({ db, schedules, now: formatMillis(Date.now()) }, [spec]);
  } finally {
    await connection.close();
  }
}

interface CycleRow {
  seconds: number;
  requests: number;
  samples: number;
  missing: number;
}

async function measure(
  { db, poller }: { db: Database; poller: MeasuredProcess },
  { cycles, intervalSeconds }: PollingBenchOptions,
  say: Say,
): Promise<PollingFigures> {
  say('waiting for the first cycle, which is not measured');
  await until(async () => (await endedCycles(db)).length >= 1);
  const [cpuBefore, startedMs] = [poller.cpuSeconds(), performance.now()];
  for (let ended = 1; ended <= cycles; ended += 1) {
    await until(async () => (await endedCycles(db)).length > ended);
    const last = (await endedCycles(db)).at(-1);
    say(`cycle ${ended}: ${last?.seconds.toFixed(2)} s, ${last?.samples} samples`);
  }
  // From one end to another: whole intervals, idle time and all.
  const seconds = (performance.now() - startedMs) / 1_000;
  const share = (poller.cpuSeconds() - cpuBefore) / seconds;
  say(`${cycles} cycles of ${intervalSeconds} s in ${seconds.toFixed(1)} s`);
  const rows = (await endedCycles(db)).slice(1);
  const times = rows.map((row) => row.seconds).sort((a, b) => a - b);
  return {
    cycle_p50_s: round(quantile(times, 0.5)),
    cycle_p95_s: round(quantile(times, 0.95)),
    core_share: round(share),
    rss_mb: Math.round(poller.peakRssMb()),
    samples_per_cycle: Math.round(mean(rows.map((row) => row.samples))),
    requests_per_cycle: Math.round(mean(rows.map((row) => row.requests))),
    gaps: rows.reduce((sum, row) => sum + row.missing, 0),
  };
}

/** Oldest first; a cycle is here once its end is in the log. */
async function endedCycles(db: Database): Promise<CycleRow[]> {
  const { rows } = await db.pool.query<CycleRow>(
    `SELECT extract(epoch FROM ended_at - started_at)::float AS seconds, requests,
       (SELECT coalesce(sum(received), 0)::int FROM poll_coverage v WHERE v.cycle_id = c.cycle_id) AS samples,
       (SELECT coalesce(sum(units * cardinality(meters)), 0)::int FROM poll_gaps g
        WHERE g.cycle_id = c.cycle_id AND repaired_at IS NULL) AS missing
     FROM poll_cycles c WHERE ended_at IS NOT NULL ORDER BY cycle`,
  );
  return rows;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await delay(200);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function round(value: number): number {
  return Number(value.toFixed(3));
}
