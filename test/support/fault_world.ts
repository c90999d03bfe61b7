import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { setTimeout as delay } from 'node:timers/promises';
import { ingestFailure } from '../../activities/failures.ts';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { runLeg } from '../../activities/ingest_leg.ts';
import type { LegReceipt } from '../../activities/leg_receipt.ts';
import { connectBus } from '../../bus/connection.ts';
import { IntakePublisher } from '../../bus/publisher.ts';
import { ensureIntakeStream } from '../../bus/streams.ts';
import { INTAKE_STREAM, intakeConsumer } from '../../bus/subjects.ts';
import { SeededRandom } from '../../cli/demo/random.ts';
import { latestCheckpoint } from '../../db/checkpoints.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { readEntries } from '../../db/log_entries.ts';
import { readTile } from '../../db/log_tiles.ts';
import { listLogs } from '../../db/logs.ts';
import { migrate } from '../../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../../db/partitions.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { makeReceipt } from '../../ledger/prove.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import { generateSigningKey, type Signer } from '../../ledger/signer.ts';
import {
  compileDefinitions,
  type DefinitionFile,
  type DefinitionSet,
} from '../../meters/definition_compile.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { type Evidence, findFaults } from './fault_checks.ts';
import { type FaultChild, startFaultWorker } from './fault_child.ts';
import { makeModel, type Model } from './fault_model.ts';
import type { FaultWorkerPlan } from './fault_worker.ts';
import { fleetDefinitions, type Parcel } from './fault_workload.ts';
import { ingestDeps } from './ingest_setup.ts';
import { type NatsServer, startNats } from './nats_server.ts';
import type { PostgresServer } from './postgres.ts';

/** Milliseconds after which what a dead worker held is delivered again. */
const ACK_WAIT_MS = 1_000;
const RECEIPTS_A_LOG = 3;
const DRAIN_LIMIT_MS = 90_000;

/** A migrated database with all its partitions, to be copied: nobody may stay connected to it. */
export async function makeTemplate(postgres: PostgresServer): Promise<string> {
  const url = await postgres.createDatabase();
  const db = createDatabase(url);
  try {
    await migrate(db.pool);
    await ensurePartitions(db.pool, partitionSpan(formatMillis(Date.now())));
  } finally {
    await db.close();
  }
  return url;
}

export interface FaultWorldOptions {
  seed: string;
  shards: number;
  /** A migrated database of its own. */
  databaseUrl: string;
  /** Those of the fleet unless given. */
  definitions?: readonly DefinitionFile[];
  ackWaitMs?: number;
}

/** Everything that one scenario needs, and nobody else's: database, nats-server, key. */
export class FaultWorld {
  readonly nats: NatsServer;
  readonly databaseUrl: string;
  readonly shards: number;
  readonly db: Database;
  readonly definitions: DefinitionSet;
  readonly #signingKey: string;
  readonly #signer: Signer;
  /** What a worker in this process is wired with. */
  readonly deps: IngestDeps;
  readonly #nc: NatsConnection;
  readonly #evidence: Evidence = { checkpoints: new Map(), receipts: [] };
  readonly #random: SeededRandom;
  readonly #children: FaultChild[] = [];

  static async create(options: FaultWorldOptions): Promise<FaultWorld> {
    const { shards } = options;
    const [nats, files] = await Promise.all([
      // What is killed is the process, not the machine.
      startNats({ syncInterval: '2m' }),
      options.definitions ?? fleetDefinitions(),
    ]);
    const nc = await connectBus({ url: nats.url, name: 'fault-test' });
    const jsm: JetStreamManager = await jetstreamManager(nc);
    await ensureIntakeStream(jsm, {
      shards,
      maxBytes: 256 * 1024 ** 2,
      ackWaitMs: options.ackWaitMs ?? ACK_WAIT_MS,
    });
    const compiled = compileDefinitions(files);
    if (!compiled.ok) throw new Error(compiled.faults.map(({ message }) => message).join('; '));
    return new FaultWorld(options, { nats, nc, definitions: compiled.set });
  }

  private constructor(
    { seed, shards, databaseUrl }: FaultWorldOptions,
    parts: {
      nats: NatsServer;
      nc: NatsConnection;
      definitions: DefinitionSet;
    },
  ) {
    this.shards = shards;
    this.nats = parts.nats;
    this.#nc = parts.nc;
    this.databaseUrl = databaseUrl;
    this.definitions = parts.definitions;
    this.db = createDatabase(databaseUrl, { applicationName: 'fault-test' });
    this.#signingKey = generateSigningKey();
    this.deps = ingestDeps({
      pool: this.db.pool,
      nats: this.#nc,
      signingKey: this.#signingKey,
      holder: 'fault-test',
      readDefinitions: () => Promise.resolve(parts.definitions.files),
    });
    const [signer] = this.deps.signers;
    if (signer === undefined) throw new Error('no signer');
    this.#signer = signer;
    this.#random = new SeededRandom(`${seed}/world`);
  }

  /** One that notices soon that nobody answers. */
  publisher(): IntakePublisher {
    return new IntakePublisher(this.#nc, { shards: this.shards, ackTimeoutMs: 2_000 });
  }

  /** Every parcel is stored by the stream, even if it has just seen the same. */
  async publish(parcels: readonly Parcel[]): Promise<void> {
    const publisher = this.publisher();
    for (let left = [...parcels]; left.length > 0;) {
      const outcomes = await publisher.publishAll(
        left.map(({ bytes }) => ({ bytes, via: 'send', again: true })),
      );
      left = left.filter((_, index) => outcomes[index]?.status === 'refused');
      if (left.length > 0) await delay(100);
    }
  }

  startWorker(options: Partial<FaultWorkerPlan>): FaultChild {
    const child = startFaultWorker({
      databaseUrl: this.databaseUrl,
      natsUrl: this.nats.url,
      signingKey: this.#signingKey,
      shards: this.shards,
      batchSize: 40,
      legSeconds: 3,
      fault: null,
      temporal: null,
      acknowledgesBeforeCommit: false,
      ...options,
    });
    this.#children.push(child);
    return child;
  }

  /** Brings everything that waits into the logs, by legs in this process. */
  async drain(): Promise<void> {
    const deadline = Date.now() + DRAIN_LIMIT_MS;
    const drainShard = async (shard: number): Promise<void> => {
      for (let last = '';;) {
        try {
          const receipt = await this.runLeg(shard, 10);
          if (receipt.drained) return;
          last = JSON.stringify(receipt);
        } catch (error) {
          const { nonRetryable, message } = ingestFailure(error);
          if (nonRetryable === true) throw error;
          last = message;
          await delay(100);
        }
        if (Date.now() > deadline) throw new Error(`shard ${shard} is not drained: ${last}`);
      }
    };
    await Promise.all(Array.from({ length: this.shards }, (_, shard) => drainShard(shard)));
  }

  /** One leg in this process, until the shard is drained or the time is up. */
  async runLeg(shard: number, seconds: number): Promise<LegReceipt> {
    const control = { stopped: () => false, heartbeat: () => {} };
    return await runLeg(this.deps, { shard, seconds, drain: true }, control);
  }

  /** Returns when whoever ingests has settled every message. */
  async intakeIsEmpty(): Promise<void> {
    const deadline = Date.now() + DRAIN_LIMIT_MS;
    const jsm = await jetstreamManager(this.#nc);
    for (let waiting = 1; waiting > 0;) {
      waiting = 0;
      for (let shard = 0; shard < this.shards; shard += 1) {
        const info = await jsm.consumers.info(INTAKE_STREAM, intakeConsumer(shard));
        waiting += info.num_pending + info.num_ack_pending;
      }
      if (Date.now() > deadline) throw new Error(`${waiting} messages are not settled`);
      await delay(50);
    }
  }

  /** Takes a checkpoint and some receipts of each log, as an auditor and a tenant would. */
  async gatherEvidence(): Promise<void> {
    const { pool } = this.db;
    for (const { logId } of await listLogs(pool)) {
      const checkpoint = await latestCheckpoint(pool, logId);
      if (checkpoint === null) continue;
      const notes = this.#evidence.checkpoints.get(logId) ?? [];
      this.#evidence.checkpoints.set(logId, [...notes, checkpoint.note]);
      for (let taken = 0; taken < RECEIPTS_A_LOG; taken += 1) {
        const index = this.#random.between(0, checkpoint.size - 1);
        const [entry = ''] = await readEntries(pool, logId, { from: index, to: index + 1 });
        const receipt = await makeReceipt(
          { entry, metadata: await this.#metadataOf(entry), index, checkpoint: checkpoint.note },
          (level, tile, width) => readTile(pool, logId, { level, index: tile, width }),
        );
        this.#evidence.receipts.push(formatReceipt(receipt));
      }
    }
  }

  /** What is wrong now, given all that was sent. */
  async findFaults(sent: readonly Parcel[]): Promise<string[]> {
    return await this.compareWith(makeModel(sent, this.definitions));
  }

  async compareWith(model: Model): Promise<string[]> {
    return await findFaults(this.db.pool, model, {
      evidence: this.#evidence,
      vkey: this.#signer.vkey,
    });
  }

  get receipts(): number {
    return this.#evidence.receipts.length;
  }

  async close(): Promise<void> {
    for (const child of this.#children) await child.kill();
    await this.#nc.close();
    await this.db.close();
    await this.nats.stop();
  }

  async #metadataOf(text: string): Promise<string | null> {
    const entry = parseEntry(text);
    if (entry.kind !== 'sample') return null;
    const { rows } = await this.db.pool.query<{ body: string }>(
      `SELECT body FROM metadata WHERE digest = decode($1, 'hex')`,
      [entry.metadata],
    );
    return rows[0]?.body ?? null;
  }
}
