import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import type { RetentionDeps } from '../../activities/archive_partition.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { migrate } from '../../db/migrate.ts';
import { ensurePartitions } from '../../db/partitions.ts';
import { ArchiveDirectory } from '../../ledger/archive_directory.ts';
import { encodeEntry } from '../../ledger/entry.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { testSigner } from './test_signer.ts';
import { WrittenLog } from './written_log.ts';

/** The month that is old: the samples of `batchesOf` lie in it and in the next one. */
export const OLD_MONTH = 'samples_2026_10';
/** When the old month may go and the next may not yet. */
export const NOW_MS = Date.UTC(2027, 11, 10);

/** A database with two logs and a folder of archives. */
export class ArchiveWorld {
  readonly postgres: PostgresServer;
  readonly folder: string;
  readonly archives: ArchiveDirectory;
  readonly db: Database;
  log!: WrittenLog;

  static async start(): Promise<ArchiveWorld> {
    const postgres = await startPostgres({ fsync: false });
    const folder = await mkdtemp(join(tmpdir(), 'nepho-archives-'));
    const world = new ArchiveWorld(postgres, folder);
    await migrate(world.db.pool);
    await ensurePartitions(world.db.pool, {
      from: '2026-09-01T00:00:00.000000Z',
      to: '2026-12-01T00:00:00.000000Z',
    });
    world.log = await WrittenLog.open(world.db.pool);
    const [key] = await missingKeyEntries([], [testSigner()], {
      now: '2026-11-01T00:00:00.000000Z',
    });
    if (key !== undefined) {
      await world.log.writer.appendRecords([{ kind: 'key', entry: encodeEntry(key) }]);
    }
    return world;
  }

  private constructor(postgres: PostgresServer, folder: string) {
    this.postgres = postgres;
    this.folder = folder;
    this.archives = new ArchiveDirectory(folder);
    this.db = createDatabase(postgres.url, { poolSize: 4 });
  }

  get pool(): Pool {
    return this.db.pool;
  }

  deps(changes: Partial<RetentionDeps> = {}): RetentionDeps {
    return {
      pool: this.db.pool,
      archives: this.archives,
      signers: [testSigner()],
      retentionDays: 400,
      nowMs: () => NOW_MS,
      ...changes,
    };
  }

  /** As if a keeper of log 0 began at this time and looked for late samples up to here. */
  async seal(until: string, scannedTo: number): Promise<void> {
    await this.db.pool.query(
      `INSERT INTO window_keepers (log_id, sealed_from, sealed_until, scanned_to)
       VALUES (0, $1, $1, $2)
       ON CONFLICT (log_id) DO UPDATE SET sealed_from = excluded.sealed_from,
         sealed_until = excluded.sealed_until, scanned_to = excluded.scanned_to`,
      [until, scannedTo],
    );
  }

  async size(): Promise<number> {
    const { rows } = await this.db.pool.query<{ size: bigint }>(
      'SELECT size FROM logs WHERE log_id = 0',
    );
    return Number(rows[0]?.size);
  }

  async rows(query: string): Promise<Record<string, unknown>[]> {
    return (await this.db.pool.query<Record<string, unknown>>(query)).rows;
  }

  async stop(): Promise<void> {
    await this.db.close();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
