/** Wires the ingest worker: database, intake, keys, definitions, metrics, Temporal. */
import { hostname } from 'node:os';
import process from 'node:process';
import { Client, Connection } from '@temporalio/client';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Registry } from 'prom-client';
import type { BillingDeps, WebhookDeps } from '../activities/billing_deps.ts';
import type { RetentionDeps } from '../activities/archive_partition.ts';
import { DefinitionSource } from '../activities/definition_source.ts';
import type { IngestDeps, IngestLog, KeyChangePolicy } from '../activities/ingest_deps.ts';
import { checkSigningKeys } from '../activities/take_over_log.ts';
import type { PollAccountDeps } from '../activities/poll_deps.ts';
import type { SampleSignaturePolicy } from '../activities/sample_signatures.ts';
import type { WatermarkPolicy, WindowDeps } from '../activities/window_deps.ts';
import { describeScheduleOf } from '../api/poll_schedules.ts';
import { createIngestMetrics } from '../api/metrics.ts';
import { readBacklog } from '../bus/backlog.ts';
import { closeBus, connectBus } from '../bus/connection.ts';
import { openIntakePuller } from '../bus/puller.ts';
import { ensureIntakeStream } from '../bus/streams.ts';
import { readSyncInterval } from '../bus/sync_interval.ts';
import { trimIntake } from '../bus/trim.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { checkSchemaVersion } from '../db/migrate.ts';
import { ArchiveDirectory } from '../ledger/archive_directory.ts';
import type { Signer } from '../ledger/signer.ts';
import { authorityReader, type BillingPlaces, openBillingSource } from './billing_files.ts';
import { codeVersion } from './code_version.ts';
import { loadDefinitionDirectory } from './definition_files.ts';
import type { AuditSettings } from './env.ts';
import { historyFetcher } from './fetch_history.ts';
import { historyReplayer } from './replay_history.ts';
import { logger } from './logging.ts';
import { busOptions } from './nats_settings.ts';
import { pollPublisher } from './poll_publisher.ts';
import { type RunningWorker, runWorker, type WorkerParts } from './run_worker.ts';
import { secretResolver } from './secret_files.ts';
import { loadUsageRules } from './usage_rules_file.ts';
import { answerMetrics } from './worker_metrics.ts';
import { bundleWorkflows } from './workflow_bundle.ts';

/** Names this worker for people: in the logs' heads and in metrics. */
const HOLDER = `${hostname()}:${process.pid}`;

export interface IngestWorkerConfig {
  databaseUrl: string;
  natsUrl: string;
  natsCredentialsFile: string | null;
  temporalAddress: string;
  temporalNamespace: string;
  shards: number;
  source: string;
  deployment: string;
  archiveDir: string;
  /** Days after which a month of samples is archived; null if never. */
  retentionDays: number | null;
  /** When the nightly audit begins, and how much it looks at. */
  audit: AuditSettings;
  /** Folders of definition files in the order of their precedence. */
  definitionDirs: readonly string[];
  /** By which samples become usage. */
  usageRulesFile: string;
  /** When hours are sealed. */
  sealing: WatermarkPolicy;
  billing: BillingPlaces;
  /** The newest first. */
  signers: readonly Signer[];
  keyChange: KeyChangePolicy;
  sampleSignatures: SampleSignaturePolicy;
  /** Bytes that the intake may take on disk. */
  intakeBytes: number;
  /** `http://host:8222` of nats-server's monitoring, null if it is not known. */
  natsMonitorUrl: string | null;
  registry: Registry;
}

/**
 * Starts the worker with everything that it needs, and the actors that must be running.
 *
 * @throws {NephoError} one clear sentence for whatever is missing: database, schema, intake, definitions
 */
export async function startIngestWorker(config: IngestWorkerConfig): Promise<RunningWorker> {
  const db = createDatabase(config.databaseUrl, {
    poolSize: 2 * config.shards + 8,
    applicationName: 'nepho-worker',
  });
  let nats: NatsConnection | null = null;
  const temporal = Connection.lazy({ address: config.temporalAddress, interceptors: [] });
  const close = async (): Promise<void> => {
    await temporal.close();
    if (nats !== null) await closeBus(nats);
    await db.close();
  };
  try {
    await checkSchemaVersion(db.pool);
    nats = await connectBus(await busOptions(config, 'nepho-worker'));
    answerMetrics(nats, config.registry, HOLDER);
    const jsm = await jetstreamManager(nats);
    await ensureIntakeStream(jsm, {
      shards: config.shards,
      maxBytes: config.intakeBytes,
    });
    const deps = ingestDeps(config, { db, nats, jsm });
    await warnOfLateWrites(deps.log, nats, config.natsMonitorUrl);
    // A faulty definition file or a wrong key is told before the first actor runs into it.
    await deps.definitions.current();
    await checkSigningKeys(deps, config.shards);
    const workflowBundle = await bundleWorkflows();
    const worker = await runWorker(deps, {
      address: config.temporalAddress,
      namespace: config.temporalNamespace,
      shards: config.shards,
      workflowBundle,
    }, {
      account: pollAccountDeps(config, { db, nats, temporal }),
      windows: {
        ...await windowDeps(config, { db, jsm }),
        code: await codeVersion(workflowBundle),
        fetchHistory: historyFetcher(workflowsOf(config, temporal).workflow),
      },
      billing: await billingDeps(config, db),
      retention: retentionDeps(config, db),
      audit: auditDeps(config, { db, temporal, workflowBundle }),
    });
    return closingAfter(worker, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function ingestDeps(
  config: IngestWorkerConfig,
  { db, nats, jsm }: { db: Database; nats: NatsConnection; jsm: JetStreamManager },
): IngestDeps {
  return {
    pool: db.pool,
    openPuller: (shard) => openIntakePuller(nats, shard),
    trimIntake: async () => {
      await trimIntake(nats, jsm, { keepBytes: config.intakeBytes / 4 });
    },
    signers: config.signers,
    keyChange: config.keyChange,
    sampleSignatures: config.sampleSignatures,
    definitions: new DefinitionSource({
      pool: db.pool,
      read: () => loadDefinitionDirectory(config.definitionDirs),
      nowMs: Date.now,
    }),
    archives: new ArchiveDirectory(config.archiveDir),
    deployment: config.deployment,
    source: config.source,
    holder: HOLDER,
    nowMs: Date.now,
    log: structuredLog('ingest'),
    metrics: createIngestMetrics(config.registry),
  };
}

async function windowDeps(
  config: IngestWorkerConfig,
  { db, jsm }: { db: Database; jsm: JetStreamManager },
): Promise<Omit<WindowDeps, 'code'>> {
  const log = structuredLog('windows');
  const rules = await loadUsageRules(
    config.usageRulesFile,
    (warning) => log.warn('usage_rules', { warning }),
  );
  return {
    pool: db.pool,
    shards: config.shards,
    signers: config.signers,
    rules: () => Promise.resolve(rules),
    backlog: async (shard) => {
      const { pending, unacknowledged, oldestMs } = await readBacklog(jsm, shard);
      return { messages: pending + unacknowledged, oldestMs };
    },
    watermark: config.sealing,
    nowMs: Date.now,
    log,
  };
}

async function billingDeps(
  config: IngestWorkerConfig,
  { pool }: Database,
): Promise<BillingDeps & WebhookDeps> {
  const log = structuredLog('billing');
  const warn = (warning: string) => log.warn('billing_configuration', { warning });
  const rules = await loadUsageRules(config.usageRulesFile, warn);
  const billing = await openBillingSource(config.billing, warn);
  return {
    pool,
    shards: config.shards,
    signers: config.signers,
    rules: () => Promise.resolve(rules),
    billing: () => billing.current(),
    readSecret: secretResolver({ baseDir: billing.baseDir }),
    readAuthorities: authorityReader(billing.baseDir),
    nowMs: Date.now,
    log,
  };
}

function retentionDeps(config: IngestWorkerConfig, { pool }: Database): RetentionDeps {
  const { signers, retentionDays } = config;
  const archives = new ArchiveDirectory(config.archiveDir);
  return { pool, archives, signers, retentionDays, nowMs: Date.now };
}

function auditDeps(
  config: IngestWorkerConfig,
  { db: { pool }, temporal, workflowBundle }: {
    db: Database;
    temporal: Connection;
    workflowBundle: { code: string };
  },
): NonNullable<WorkerParts['audit']> {
  const { signers, audit } = config;
  return {
    pool,
    archives: new ArchiveDirectory(config.archiveDir),
    signers,
    // The keys that were in force before are followed through the logs.
    vkeys: signers.map(({ vkey }) => vkey),
    replay: historyReplayer(workflowBundle),
    fetchHistory: historyFetcher(workflowsOf(config, temporal).workflow),
    sizes: audit,
    at: audit,
    nowMs: Date.now,
    log: structuredLog('audit'),
  };
}

function pollAccountDeps(
  config: IngestWorkerConfig,
  { db, nats, temporal }: { db: Database; nats: NatsConnection; temporal: Connection },
): PollAccountDeps {
  const { schedule } = workflowsOf(config, temporal);
  return {
    pool: db.pool,
    publish: pollPublisher(nats),
    scheduleState: (id) => describeScheduleOf(schedule, id),
    nowMs: Date.now,
  };
}

function workflowsOf({ temporalNamespace }: IngestWorkerConfig, connection: Connection): Client {
  return new Client({ connection, namespace: temporalNamespace });
}

/** JetStream acknowledges before it writes through, unless told otherwise. */
async function warnOfLateWrites(
  log: IngestLog,
  nats: NatsConnection,
  monitorUrl: string | null,
): Promise<void> {
  const { warning } = await readSyncInterval(nats, monitorUrl);
  if (warning !== null) log.warn('sync_interval', { warning });
}

/** The logger of one part in the form that activities take. */
export function structuredLog(part: string): IngestLog {
  const log = logger(part);
  return {
    info: (event, fields) => log.info(event, fields),
    warn: (event, fields) => log.warn(event, fields),
    error: (event, fields) => log.error(event, fields),
  };
}

function closingAfter(worker: RunningWorker, close: () => Promise<void>): RunningWorker {
  const end = async (): Promise<void> => {
    try {
      await worker.ended;
    } finally {
      await close();
    }
  };
  const ended = end();
  // Its failure is told by whoever awaits it.
  ended.catch(() => {});
  return {
    ended,
    stop: async () => {
      await worker.stop();
      await ended;
    },
  };
}
