/** A log on a real PostgreSQL that tests fill with readings, seal and revise, without Temporal. */
import type { Pool } from 'pg';
import { beginWindows } from '../../activities/begin_windows.ts';
import { reviseLate, type ReviseReceipt } from '../../activities/revise_late.ts';
import { sealHours, type SealHoursInput, type SealReceipt } from '../../activities/seal_hours.ts';
import type { WindowDeps } from '../../activities/window_deps.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import {
  findOrMakeEventTypes,
  findOrMakeMetadata,
  findOrMakeSeries,
} from '../../db/dictionaries.ts';
import { enterDefinitionSet } from '../../db/enter_definition_set.ts';
import { LogWriter } from '../../db/log_writer.ts';
import { migrate } from '../../db/migrate.ts';
import { readLog } from '../../db/logs.ts';
import { openLog } from '../../db/open_log.ts';
import { ensurePartitions } from '../../db/partitions.ts';
import type { AppendOutcome, PreparedOrigin } from '../../db/prepared_batch.ts';
import type { SealingRun } from '../../db/seals.ts';
import type { WindowKeeperRow } from '../../db/window_keepers.ts';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { encodeEntry } from '../../ledger/entry.ts';
import {
  definitionDigests,
  definitionsDigest,
  metadataDigest,
  originKey,
  sampleId,
  seriesKey,
} from '../../ledger/identity.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import { leafHash } from '../../ledger/merkle.ts';
import { encodeSampleEntry } from '../../ledger/sample_entry.ts';
import type { JsonObject } from '../../meters/json.ts';
import type { MeterType } from '../../meters/sample.ts';
import { type UsageRules, usageRulesOf } from '../../meters/usage_rules.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from './postgres.ts';
import { testSigner } from './test_signer.ts';

/** A sample as a test gives it: one notification each. */
export interface WorldSample {
  /** What makes it the same sample again. */
  origin: string;
  meter: string;
  type: MeterType;
  resource: string;
  project: string | null;
  /** Canonical timestamp. */
  at: string;
  volume: string;
  eventType?: string;
  metadata?: JsonObject;
}

export const windowSkipReason = postgresSkipReason;

export const WORLD_SOURCE = 'openstack';
const FILES = [{ name: 'test.yaml', text: 'metric: []\n' }];

/** Staleness of an hour, but for `instance`, whose samples tell of its life. */
export const WORLD_RULES: UsageRules = usageRulesOf({
  v: 1,
  staleness_seconds: 3_600,
  rules: [{
    meters: ['instance'],
    staleness_seconds: 4 * 3_600,
    ends: ['compute.instance.delete.end'],
    since: 'launched_at',
    until: 'deleted_at',
  }],
});

export class WindowWorld {
  readonly #postgres: PostgresServer | null;
  readonly #db: Database;
  #writer: LogWriter;
  /** The present, in milliseconds since 1970. */
  nowMs: number;
  rules: UsageRules = WORLD_RULES;
  #runs = 0;

  static async start(nowMs: number, span: { from: string; to: string }): Promise<WindowWorld> {
    const postgres = await startPostgres({ fsync: false });
    const world = await WindowWorld.on(postgres.url, nowMs, { span, postgres });
    return world;
  }

  /** On a database that is there, which it migrates. */
  static async on(
    url: string,
    nowMs: number,
    { span, postgres = null }: {
      span: { from: string; to: string };
      postgres?: PostgresServer | null;
    },
  ): Promise<WindowWorld> {
    const db = createDatabase(url);
    await migrate(db.pool);
    await ensurePartitions(db.pool, span);
    const world = new WindowWorld(nowMs, db, postgres);
    await world.takeOver();
    return world;
  }

  /** On one that another process writes samples to. */
  static async attach(url: string, nowMs: number): Promise<WindowWorld> {
    return await Promise.resolve(new WindowWorld(nowMs, createDatabase(url), null));
  }

  private constructor(nowMs: number, db: Database, postgres: PostgresServer | null) {
    this.nowMs = nowMs;
    this.#db = db;
    this.#postgres = postgres;
    this.#writer = undefined as unknown as LogWriter;
  }

  get pool(): Pool {
    return this.#db.pool;
  }

  get url(): string {
    return this.#postgres?.url ?? '';
  }

  /** Opens the log for writing, as a worker does that starts. */
  async takeOver(): Promise<void> {
    const now = () => new Date(this.nowMs).toISOString().replace('Z', '000Z');
    const signers = [testSigner()];
    const head = await openLog(this.pool, {
      logId: 0,
      origin: 'nepho.example/log/0',
      holder: 'test',
    });
    this.#writer = new LogWriter(this.pool, head, { signers, now });
    if (head.tree.size > 0) return;
    const keys = await missingKeyEntries([], signers, {
      now: now(),
      overlapMs: 0,
      unendorsedKey: null,
    });
    const definitions = encodeEntry({
      kind: 'definitions',
      v: 1,
      digest: definitionsDigest(FILES),
      files: definitionDigests(FILES),
      recorded_at: now(),
    });
    await this.#writer.appendRecords([
      ...keys.map((entry) => ({ kind: 'key', entry: encodeEntry(entry) })),
      { kind: 'definitions', entry: definitions },
    ]);
  }

  /** Appends samples in one batch. Those that are known are duplicates. */
  async append(samples: readonly WorldSample[]): Promise<AppendOutcome> {
    const definitions = definitionsDigest(FILES);
    const definitionSetId = await enterDefinitionSet(this.pool, {
      digest: definitions,
      files: FILES,
    });
    const recordedAt = new Date(this.nowMs).toISOString().replace('Z', '000Z');
    const origins = await this.#prepare(samples, { recordedAt, definitions });
    return await this.#writer.append({
      recordedAt,
      definitionSetId,
      origins,
      rejects: [],
      polls: [],
    });
  }

  deps(changes: Partial<WindowDeps> = {}): WindowDeps {
    return {
      pool: this.pool,
      signers: [testSigner()],
      rules: () => Promise.resolve(this.rules),
      code: 'nepho/0.0.0+000000000000',
      shards: 1,
      backlog: () => Promise.resolve({ messages: 0, oldestMs: null }),
      watermark: { graceMs: 900_000, maxWaitMs: 6 * 3_600_000, everySeconds: 60 },
      nowMs: () => this.nowMs,
      log: { info: () => {}, warn: () => {}, error: () => {} },
      ...changes,
    };
  }

  run(): SealingRun {
    this.#runs += 1;
    return { workflowId: `seal-0-${this.#runs}`, runId: `run-${this.#runs}` };
  }

  /** Begins the windows with the first hour that the samples are about. */
  async begin(): Promise<WindowKeeperRow | null> {
    const now = new Date(this.nowMs).toISOString().replace('Z', '000Z');
    const size = (await readLog(this.pool, 0))?.size ?? 0;
    return await beginWindows(this.pool, this.rules, { logId: 0, size, now });
  }

  /** To the present size of the log unless given. */
  async revise(to?: number, deps: WindowDeps = this.deps()): Promise<ReviseReceipt> {
    const size = to ?? (await readLog(this.pool, 0))?.size ?? 0;
    return await reviseLate(deps, { shard: 0, to: size }, { run: this.run(), progress: () => {} });
  }

  async seal(
    input: Omit<SealHoursInput, 'shard'>,
    deps: WindowDeps = this.deps(),
  ): Promise<SealReceipt> {
    return await sealHours(deps, { shard: 0, ...input }, { run: this.run(), progress: () => {} });
  }

  async stop(): Promise<void> {
    await this.#db.close();
    await this.#postgres?.stop();
  }

  async #prepare(
    samples: readonly WorldSample[],
    { recordedAt, definitions }: { recordedAt: string; definitions: string },
  ): Promise<PreparedOrigin[]> {
    const series = samples.map(identityOf);
    const seriesIds = await byKey(
      series,
      ({ key }) => key,
      (wanted) => findOrMakeSeries(this.pool, 0, wanted),
    );
    const documents = samples.map(({ metadata = {} }) => {
      const body = canonicalJson(metadata);
      return { digest: metadataDigest(body), body };
    });
    const metadataIds = await byKey(
      documents,
      ({ digest }) => digest,
      (wanted) => findOrMakeMetadata(this.pool, wanted),
    );
    const types = samples.map(({ eventType = 'compute.instance.exists' }) => eventType);
    const typeIds = await byKey(
      types,
      (name) => name,
      (wanted) => findOrMakeEventTypes(this.pool, wanted),
    );
    return samples.map((sample, index): PreparedOrigin => {
      const { origin, meter, resource, at, volume } = sample;
      const id = sampleId({ source: WORLD_SOURCE, origin, meter, resource_id: resource, index: 0 });
      return {
        key: originKey(WORLD_SOURCE, origin),
        source: WORLD_SOURCE,
        origin,
        eventTypeId: typeIds[index] ?? 0,
        content: '1',
        withoutVolume: 0,
        matched: true,
        samples: [{
          id,
          seriesId: seriesIds[index] ?? 0,
          metadataId: metadataIds[index] ?? 0,
          ordinal: 0,
          timestamp: at,
          volume,
          leaf: leafHash(encodeSampleEntry({
            ...identityOf(sample),
            id,
            index: 0,
            origin,
            timestamp: at,
            volume,
            metadata: documents[index]?.digest ?? '',
            definitions,
            recorded_at: recordedAt,
          })),
        }],
        bytes: new Uint8Array(),
        eventType: types[index] ?? '',
        via: 'send',
        streamSequence: null,
        poll: null,
      };
    });
  }
}

function identityOf({ meter, type, resource, project }: WorldSample) {
  const series = {
    meter,
    type,
    unit: type === 'gauge' ? 'GiB' : 'B',
    project_id: project,
    user_id: null,
    resource_id: resource,
    source: WORLD_SOURCE,
  };
  return { ...series, key: seriesKey(0, series) };
}

/** The ids of items, of which those of one key are asked for once. */
async function byKey<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  find: (wanted: Item[]) => Promise<number[]>,
): Promise<number[]> {
  const wanted = [...new Map(items.map((item) => [keyOf(item), item])).entries()];
  const ids = await find(wanted.map(([, item]) => item));
  const found = new Map(wanted.map(([key], index) => [key, ids[index] ?? 0]));
  return items.map((item) => found.get(keyOf(item)) ?? 0);
}
