/** A small deployment with one of everything that an audit looks at. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool, PoolClient } from 'pg';
import { archivePartition, dropArchived } from '../../activities/archive_partition.ts';
import { type AuditDeps, auditEverything } from '../../activities/audit_everything.ts';
import { AuditReport } from '../../activities/audit_report.ts';
import { readKeyEntries } from '../../activities/guest_signers.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import { exportHistory } from '../../activities/export_history.ts';
import { ArchiveDirectory } from '../../ledger/archive_directory.ts';
import { appendAsGuest } from '../../db/log_guest.ts';
import { encodeEntry } from '../../ledger/entry.ts';
import { definitionDigests, definitionsDigest } from '../../ledger/identity.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { BillingWorld } from './billing_world.ts';
import { startPostgres } from './postgres.ts';
import { testSigner } from './test_signer.ts';
import { WindowWorld, type WorldSample } from './window_world.ts';

/** The first hours of a log, at the end of October, so that a day and a month are whole after two. */
const NOW_MS = Date.parse('2026-11-01T02:30:00Z');

export class AuditWorld {
  readonly windows: WindowWorld;
  readonly billing: BillingWorld;
  readonly folder: string;
  readonly archives: ArchiveDirectory;

  static async start(): Promise<AuditWorld> {
    // Compiling its queries takes the server longer than all of this little data.
    const postgres = await startPostgres({ fsync: false, settings: ['jit=off'] });
    const windows = await WindowWorld.on(postgres.url, NOW_MS, {
      span: { from: '2026-10-01T00:00:00.000000Z', to: '2026-12-01T00:00:00.000000Z' },
      postgres,
    });
    const world = new AuditWorld(windows, await mkdtemp(join(tmpdir(), 'nepho-audit-')));
    await world.#fill();
    return world;
  }

  private constructor(windows: WindowWorld, folder: string) {
    this.windows = windows;
    this.billing = new BillingWorld(windows);
    this.folder = folder;
    this.archives = new ArchiveDirectory(folder);
  }

  get pool(): Pool {
    return this.windows.pool;
  }

  deps(pool: Pool = this.pool): AuditDeps {
    return {
      pool,
      archives: this.archives,
      vkeys: [testSigner().vkey],
      replay: () => Promise.resolve(),
      nowMs: () => this.windows.nowMs,
    };
  }

  async audit(pool: Pool = this.pool, vkeys = [testSigner().vkey]): Promise<AuditReport> {
    const report = new AuditReport();
    await auditEverything({ ...this.deps(pool), vkeys }, report);
    return report;
  }

  /** Audits the database as it would be after a statement, or another if it is refused; it is rolled back. */
  async auditAfter(statement: string, otherwise: string = statement): Promise<AuditReport> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SAVEPOINT before');
      await client.query(statement).catch(async (error: unknown) => {
        if (statement === otherwise) throw error;
        await client.query('ROLLBACK TO before');
        await client.query(otherwise);
      });
      return await this.audit(poolWithin(client));
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  /** Samples, seals, a statement, a late sample with its revision, an amendment, a history, an archive. */
  async #fill(): Promise<void> {
    const { windows, billing } = this;
    await this.#announceDefinitions();
    await windows.append(SAMPLES);
    await windows.append(manyRequests());
    await billing.open({
      projectId: 'p-1',
      period: '2026-10',
      start: '2026-10-01T00:00:00.000000Z',
      end: '2026-11-01T00:00:00.000000Z',
    });
    await billing.seal('2026-11-01T02:00:00.000000Z');
    const name = { project_id: 'p-1', period: '2026-10' };
    await billing.close(await billing.order({ ...name, number: 0 }));
    await windows.append([{ ...gauge('vm-1', '2026-10-31T22:25:00', '7'), origin: 'late' }]);
    await windows.revise();
    await billing.close(await billing.order({ ...name, number: 1 }));
    await exportHistory({
      pool: this.pool,
      signers: [testSigner()],
      fetchHistory: () => Promise.resolve(JSON.stringify(HISTORY)),
      nowMs: () => windows.nowMs,
    }, { workflow_id: 'seal-0-2', run_id: 'run-2' });
    await archivePartition({
      pool: this.pool,
      archives: this.archives,
      signers: [testSigner()],
      retentionDays: 400,
      nowMs: () => windows.nowMs,
    }, 'samples_2026_10');
  }

  async dropArchived(): Promise<void> {
    await dropArchived({
      pool: this.pool,
      archives: this.archives,
      signers: [testSigner()],
      retentionDays: 400,
      nowMs: () => this.windows.nowMs,
    }, 'samples_2026_10');
  }

  /** A new key takes the place of the one that signed so far. @returns its verifier key */
  async rotateKey(): Promise<string> {
    const [old, following] = [testSigner(), testSigner(1)];
    const now = formatMillis(this.windows.nowMs);
    const known = await readKeyEntries(this.pool, 0);
    const [entry] = await missingKeyEntries(known, [following, old], { now });
    if (entry === undefined) throw new Error('the key is there already');
    const options = { signers: [following], now: () => now };
    await appendAsGuest(
      this.pool,
      0,
      options,
      () =>
        Promise.resolve({
          records: [{ kind: 'key', entry: encodeEntry(entry) }],
          result: undefined,
        }),
    );
    return following.vkey;
  }

  /** Whoever alters rows is not held by this either. */
  async allowAnyNumber(): Promise<void> {
    const { rows } = await this.pool.query<{ statement: string }>(
      `SELECT format('ALTER TABLE %I ALTER %I DROP IDENTITY', table_name, column_name) AS statement
       FROM information_schema.columns WHERE is_identity = 'YES' AND table_schema = 'public'`,
    );
    for (const { statement } of rows) await this.pool.query(statement);
  }

  /** As the ingest does before the first sample. */
  async #announceDefinitions(): Promise<void> {
    const files = [{ name: 'test.yaml', text: 'metric: []\n' }];
    const recordedAt = formatMillis(NOW_MS);
    const entry = encodeEntry({
      kind: 'definitions',
      v: 1,
      digest: definitionsDigest(files),
      files: definitionDigests(files),
      recorded_at: recordedAt,
    });
    await appendAsGuest(
      this.pool,
      0,
      { signers: [testSigner()], now: () => recordedAt },
      () => Promise.resolve({ records: [{ kind: 'definitions', entry }], result: undefined }),
    );
  }

  async stop(): Promise<void> {
    await this.windows.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function gauge(resource: string, at: string, volume: string): WorldSample {
  return {
    origin: `${resource}@${at}`,
    meter: 'memory',
    type: 'gauge',
    resource,
    project: 'p-1',
    at: `${at}.000000Z`,
    volume,
    metadata: { name: resource },
  };
}

const SAMPLES: WorldSample[] = [
  gauge('vm-1', '2026-10-31T22:10:00', '2'),
  gauge('vm-1', '2026-10-31T22:40:00', '4.5'),
  gauge('vm-1', '2026-10-31T23:05:00', '4'),
  gauge('vm-1', '2026-11-01T00:15:00', '1'),
  { ...gauge('vm-2', '2026-10-31T22:20:00', '1'), project: 'p-2' },
  {
    ...gauge('vm-1', '2026-10-31T22:30:00', '100'),
    origin: 'c-1',
    meter: 'bytes',
    type: 'cumulative',
  },
  {
    ...gauge('vm-1', '2026-10-31T23:30:00', '250'),
    origin: 'c-2',
    meter: 'bytes',
    type: 'cumulative',
  },
  {
    ...gauge('vm-1', '2026-11-01T01:30:00', '40'),
    origin: 'c-3',
    meter: 'bytes',
    type: 'cumulative',
  },
  { ...gauge('vm-3', '2026-10-31T23:10:00', '3'), origin: 'd-1', meter: 'requests', type: 'delta' },
];

/** More leaves than a tile has. */
function manyRequests(): WorldSample[] {
  return Array.from({ length: 300 }, (_, index) => ({
    ...gauge('vm-3', `2026-10-31T23:${String(20 + index % 30)}:00`, String(index)),
    origin: `r-${index}`,
    meter: 'requests',
    type: 'delta',
  }));
}

const HISTORY = {
  events: [
    {
      eventId: '1',
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
      workflowExecutionStartedEventAttributes: { workflowType: { name: 'sealWindows' } },
    },
    {
      eventId: '2',
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED',
      workflowExecutionCompletedEventAttributes: {},
    },
  ],
};

/** A pool all of whose statements go through one transaction that somebody else ends. */
function poolWithin(client: PoolClient): Pool {
  const ends = /^\s*(?:BEGIN|COMMIT|ROLLBACK|SET TRANSACTION)/;
  const query = (...args: unknown[]): unknown => {
    const [first] = args;
    if (typeof first === 'string' && ends.test(first)) {
      return Promise.resolve({ rows: [], rowCount: 0 });
    }
    return (client.query as (...args: unknown[]) => unknown)(...args);
  };
  const connection = { query, on: () => {}, off: () => {}, release: () => {} };
  return { query, connect: () => Promise.resolve(connection) } as unknown as Pool;
}
