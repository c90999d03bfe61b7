import assert from 'node:assert/strict';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Pool } from 'pg';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { runLeg } from '../../activities/ingest_leg.ts';
import type { LegReceipt } from '../../activities/leg_receipt.ts';
import { connectBus } from '../../bus/connection.ts';
import { IntakePublisher, type Publication } from '../../bus/publisher.ts';
import { ensureIntakeStream } from '../../bus/streams.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { migrate } from '../../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../../db/partitions.ts';
import { generateSigningKey } from '../../ledger/signer.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { ingestDeps } from './ingest_setup.ts';
import { type NatsServer, natsSkipReason, startNats } from './nats_server.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from './postgres.ts';

export function ingestSkipReason(): string | false {
  return postgresSkipReason() || natsSkipReason();
}

/** What ingest runs on, with one shard and a clock that tests set. Without Temporal. */
export class IngestWorld {
  readonly #postgres: PostgresServer;
  readonly #natsServer: NatsServer;
  readonly #db: Database;
  readonly #nats: NatsConnection;
  readonly #publisher: IntakePublisher;
  /** The present, in milliseconds since 1970. */
  nowMs: number;

  static async start(nowMs: number): Promise<IngestWorld> {
    const [postgres, natsServer] = await Promise.all([
      startPostgres({ fsync: false }),
      startNats(),
    ]);
    const db = createDatabase(postgres.url);
    await migrate(db.pool);
    await ensurePartitions(db.pool, partitionSpan(formatMillis(nowMs)));
    const nats = await connectBus({ url: natsServer.url, name: 'ingest_world' });
    await ensureIntakeStream(await jetstreamManager(nats), { shards: 1, maxBytes: 64 * 1024 ** 2 });
    return new IngestWorld(nowMs, { postgres, natsServer, db, nats });
  }

  private constructor(
    nowMs: number,
    parts: { postgres: PostgresServer; natsServer: NatsServer; db: Database; nats: NatsConnection },
  ) {
    this.nowMs = nowMs;
    this.#postgres = parts.postgres;
    this.#natsServer = parts.natsServer;
    this.#db = parts.db;
    this.#nats = parts.nats;
    this.#publisher = new IntakePublisher(parts.nats, { shards: 1 });
  }

  get pool(): Pool {
    return this.#db.pool;
  }

  get databaseUrl(): string {
    return this.#postgres.url;
  }

  get natsUrl(): string {
    return this.#natsServer.url;
  }

  /** Puts texts into the intake, also such as it has just seen. */
  async publish(...bodies: readonly string[]): Promise<void> {
    const publications = bodies.map((body): Publication => ({
      bytes: new TextEncoder().encode(body),
      via: 'send',
      again: true,
    }));
    for (const outcome of await this.#publisher.publishAll(publications)) {
      assert.equal(outcome.status, 'stored');
    }
  }

  /** Puts one message into the intake, as a polling worker does. */
  async publishPoll(bytes: Uint8Array): Promise<void> {
    await this.#publisher.publish({ bytes, via: 'poll', again: true });
  }

  /** What the signing activity is wired with, at a time that starts at {@link nowMs}. */
  deps(changes: Partial<IngestDeps> = {}): IngestDeps {
    const base = ingestDeps({
      pool: this.pool,
      nats: this.#nats,
      signingKey: generateSigningKey(),
      readDefinitions: () => Promise.resolve([{ name: 'none.yaml', text: 'metric: []\n' }]),
    });
    // The clock moves as the real one does, or a leg would wait for its end for ever.
    const started = performance.now();
    return {
      ...base,
      nowMs: () => this.nowMs + Math.floor(performance.now() - started),
      ...changes,
    };
  }

  /** One real leg, until the intake is empty. */
  async drain(changes: Partial<IngestDeps> = {}): Promise<LegReceipt> {
    const leg = { shard: 0, seconds: 30, drain: true };
    const receipt = await runLeg(this.deps(changes), leg, {
      stopped: () => false,
      heartbeat: () => {},
    });
    assert(receipt.drained);
    return receipt;
  }

  async stop(): Promise<void> {
    await this.#nats.close();
    await this.#db.close();
    await this.#natsServer.stop();
    await this.#postgres.stop();
  }
}
