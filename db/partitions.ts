import type { Pool, PoolClient } from 'pg';
import { NephoError } from '../meters/errors.ts';
import { MAX_AGE_DAYS, MAX_AHEAD_DAYS } from '../meters/limits.ts';
import { DAY_MICROS, formatMicros, toMicros } from '../meters/timestamp.ts';
import { inTransaction, type Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { SCHEMA_LOCK } from './migrate.ts';

/** A month of `samples`, half-open, in canonical timestamps. */
export interface Partition {
  name: string;
  from: string;
  to: string;
}

/** Months made ahead of the present. Warn when {@link monthsAhead} gives fewer than 2. */
export const MONTHS_AHEAD = 3;
/** Months that one call may make: a mistyped year must not make thousands of tables. */
export const MAX_MONTHS = 600;

/** The span that must have partitions at `now`: whatever ingest accepts, and some months ahead. */
export function partitionSpan(now: string): { from: string; to: string } {
  const micros = toMicros(now);
  return {
    from: formatMicros(micros - BigInt(MAX_AGE_DAYS) * DAY_MICROS),
    to: monthStart(
      formatMicros(micros + BigInt(MAX_AHEAD_DAYS) * DAY_MICROS),
      MONTHS_AHEAD + 1,
    ),
  };
}

/**
 * Makes the monthly partitions that cover `from` (included) to `to` (excluded) and are not there yet.
 * Idempotent; several processes may call it at once; readers and writers of `samples` go on, because a
 * table is made first and attached then.
 *
 * @returns the partitions that this call made
 * @throws {NephoError} `partition_span_invalid`, and the codes of db/errors.ts
 */
export async function ensurePartitions(
  pool: Pool,
  span: { from: string; to: string },
): Promise<Partition[]> {
  const wanted = monthsOf(span);
  return await withDatabaseErrors('make partitions of samples', async () => {
    if (missing(wanted, await listPartitions(pool)).length === 0) return [];
    return await inTransaction(pool, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
      const made = missing(wanted, await listPartitions(tx));
      for (const partition of made) {
        await createPartition(tx, partition);
        await attachPartition(tx, partition);
      }
      return made;
    });
  });
}

/** All partitions of `samples`, oldest first. */
export async function listPartitions(db: Queryable): Promise<Partition[]> {
  const { rows } = await db.query<{ name: string }>(`
    SELECT c.relname AS name
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'samples'::regclass
    ORDER BY c.relname`);
  return rows.map(({ name }) => partitionNamed(name));
}

/** The month of `samples_2026_10`. */
export function partitionNamed(name: string): Partition {
  const from = `${name.slice(8, 12)}-${name.slice(13, 15)}-01T00:00:00.000000Z`;
  return { name, from, to: monthStart(from, 1) };
}

/** Whole months after that of `now` which have a partition, without a gap. */
export function monthsAhead(partitions: readonly Partition[], now: string): number {
  const starts = new Set(partitions.map((partition) => partition.from));
  let months = 0;
  while (starts.has(monthStart(now, months + 1))) months += 1;
  return months;
}

/** Makes the table of a partition, which nobody sees before {@link attachPartition}. */
export async function createPartition(tx: PoolClient, { name }: Partition): Promise<void> {
  // Rows are only ever inserted: without these an insert-only table is vacuumed late, and its newest
  // pages stay unsummarised in the BRIN indexes and unmarked in the visibility map.
  await tx.query(`CREATE TABLE ${name} (LIKE samples INCLUDING ALL)`);
  await tx.query(`ALTER TABLE ${name} SET (
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)`);
}

export async function attachPartition(
  tx: PoolClient,
  { name, from, to }: Partition,
): Promise<void> {
  await tx.query(
    `ALTER TABLE samples ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
  );
}

function missing(wanted: readonly Partition[], there: readonly Partition[]): Partition[] {
  const names = new Set(there.map((partition) => partition.name));
  return wanted.filter((partition) => !names.has(partition.name));
}

function monthsOf({ from, to }: { from: string; to: string }): Partition[] {
  const months: Partition[] = [];
  for (let start = monthStart(from, 0); start < to; start = monthStart(start, 1)) {
    const name = `samples_${start.slice(0, 4)}_${start.slice(5, 7)}`;
    months.push({ name, from: start, to: monthStart(start, 1) });
    if (months.length > MAX_MONTHS) {
      throw new NephoError(
        'partition_span_invalid',
        `Cannot make partitions from '${from}' to '${to}': that is more than ${MAX_MONTHS} months`,
      );
    }
  }
  return months;
}

/** The first instant of the month that lies `months` after that of a canonical timestamp. */
function monthStart(timestamp: string, months: number): string {
  const year = Number(timestamp.slice(0, 4));
  const month = Number(timestamp.slice(5, 7)) - 1 + months;
  return `${new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 19)}.000000Z`;
}
