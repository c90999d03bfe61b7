import { fileURLToPath } from 'node:url';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { Pool, PoolClient } from 'pg';
import { NephoError } from '../meters/errors.ts';
import { inTransaction, type Queryable } from './client.ts';
import { sqlstateOf, withDatabaseErrors } from './errors.ts';

const MIGRATIONS = fileURLToPath(new URL('./migrations/', import.meta.url));

/** Any number, the same in all processes that migrate or make partitions. */
export const SCHEMA_LOCK = 7_236_583_441n;

export interface MigrationReport {
  /** Migrations in the database before and after. */
  before: number;
  after: number;
}

/**
 * Brings the database to the schema of this program. Safe to run from several processes at once: all of
 * it happens in one transaction that holds an advisory lock. Drizzle's own migrator looks before it
 * locks, and PGlite gives all clients one session, in which only transactions exclude each other.
 *
 * @throws {NephoError} `schema_newer`, `schema_altered`, and the codes of db/errors.ts
 */
export async function migrate(pool: Pool): Promise<MigrationReport> {
  const wanted = readMigrationFiles({ migrationsFolder: MIGRATIONS });
  return await withDatabaseErrors('migrate the database', () =>
    inTransaction(pool, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
      await tx.query('CREATE SCHEMA IF NOT EXISTS drizzle');
      await tx.query(`
        CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations
          (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`);
      const applied = await appliedMigrations(tx);
      refuseStranger(wanted, applied);
      for (const migration of wanted.slice(applied.length)) await apply(tx, migration);
      return { before: applied.length, after: wanted.length };
    }));
}

/**
 * For processes that serve: they never change the schema, they only insist on theirs.
 *
 * @throws {NephoError} `schema_missing`, `schema_older`, `schema_newer`, `schema_altered`
 */
export async function checkSchemaVersion(db: Queryable): Promise<void> {
  const wanted = readMigrationFiles({ migrationsFolder: MIGRATIONS });
  const applied = await withDatabaseErrors("read the database's schema version", async () => {
    try {
      return await appliedMigrations(db);
    } catch (error) {
      // 42P01, 3F000: no such table, no such schema. Nothing was ever migrated here.
      if (['42P01', '3F000'].includes(sqlstateOf(error) ?? '')) return [];
      throw error;
    }
  });
  if (applied.length === 0) {
    throw new NephoError(
      'schema_missing',
      "Cannot use the database: it has no tables of nepho, run 'nepho migrate' first",
    );
  }
  refuseStranger(wanted, applied);
  if (applied.length < wanted.length) {
    throw new NephoError(
      'schema_older',
      `Cannot use the database: its schema is at version ${applied.length} and this program needs ` +
        `${wanted.length}, run 'nepho migrate' first`,
      { context: { database: applied.length, program: wanted.length } },
    );
  }
}

async function appliedMigrations(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ hash: string }>(
    'SELECT hash FROM drizzle.__drizzle_migrations ORDER BY created_at',
  );
  return rows.map((row) => row.hash);
}

function refuseStranger(wanted: readonly MigrationMeta[], applied: readonly string[]): void {
  if (applied.length > wanted.length) {
    throw new NephoError(
      'schema_newer',
      `Cannot use the database: its schema is at version ${applied.length} and this program knows ` +
        `${wanted.length}, use the newer program`,
      { context: { database: applied.length, program: wanted.length } },
    );
  }
  const altered = applied.findIndex((hash, index) => hash !== wanted[index]?.hash);
  if (altered >= 0) {
    throw new NephoError(
      'schema_altered',
      `Cannot use the database: its migration ${
        altered + 1
      } is not this program's, it was made by ` +
        'another build',
      { context: { migration: altered + 1 } },
    );
  }
}

async function apply(tx: PoolClient, migration: MigrationMeta): Promise<void> {
  for (const statement of migration.sql) await tx.query(statement);
  await tx.query('INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ($1, $2)', [
    migration.hash,
    migration.folderMillis,
  ]);
}
