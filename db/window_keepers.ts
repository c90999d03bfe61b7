/** How far each log's windows are closed: the row that makes every step of it happen once. */
import type { Pool, PoolClient } from 'pg';
import { leafOfPosition, positionOf } from '../ledger/position.ts';
import { assert } from '../meters/assert.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

export interface WindowKeeperRow {
  logId: number;
  /** First instant of the first hour that was sealed. */
  sealedFrom: string;
  /** Every hour before this one is sealed. */
  sealedUntil: string;
  /** The rows in force are what the samples at leaves before this one come to. */
  scannedTo: number;
}

/** The newest seal of a log, which the next one names. */
export interface LastSeal {
  /** Leaf index. */
  leaf: number;
  /** Digest of the usage rules that it was computed by. */
  rules: string;
}

const COLUMNS = `log_id AS "logId", sealed_from AS "sealedFrom", sealed_until AS "sealedUntil",
  scanned_to AS "scannedTo"`;

type Row = Omit<WindowKeeperRow, 'scannedTo'> & { scannedTo: bigint };

/** Null before the first sample of the log was looked at. */
export async function readWindowKeeper(
  db: Queryable,
  logId: number,
): Promise<WindowKeeperRow | null> {
  return await withDatabaseErrors('read how far windows are sealed', async () => {
    const { rows } = await db.query<Row>({
      name: 'read_window_keeper',
      text: `SELECT ${COLUMNS} FROM window_keepers WHERE log_id = $1`,
      values: [logId],
    });
    return rows[0] === undefined ? null : { ...rows[0], scannedTo: Number(rows[0].scannedTo) };
  });
}

/** When the earliest of the samples is that the log holds as of a size, null if there is none. */
export async function earliestSample(
  db: Queryable,
  { logId, size }: { logId: number; size: number },
): Promise<string | null> {
  return await withDatabaseErrors('find the earliest sample', async () => {
    const { rows } = await db.query<{ earliest: string | null }>(
      'SELECT min(min_ts) AS earliest FROM batches WHERE position >= $1 AND position < $2',
      [positionOf(logId, 0), positionOf(logId, size)],
    );
    return rows[0]?.earliest ?? null;
  });
}

/** The database's clock: canonical timestamp. */
export async function databaseNow(db: Queryable): Promise<string> {
  return await withDatabaseErrors("read the database's clock", async () => {
    const { rows } = await db.query<{ now: string }>('SELECT clock_timestamp() AS now');
    const row = rows[0];
    assert(row !== undefined, 'a database has a clock');
    return row.now;
  });
}

/** Begins with an hour, unless that was done before. */
export async function insertWindowKeeper(
  pool: Pool,
  logId: number,
  firstHour: string,
): Promise<WindowKeeperRow | null> {
  return await withDatabaseErrors('begin to seal windows', async () => {
    await pool.query(
      `INSERT INTO window_keepers (log_id, sealed_from, sealed_until, scanned_to)
       VALUES ($1, $2, $2, 0) ON CONFLICT (log_id) DO NOTHING`,
      [logId, firstHour],
    );
    return await readWindowKeeper(pool, logId);
  });
}

/** Locks the row, under the lock of its log, so that what was computed before can be held against it. */
export async function lockWindowKeeper(
  tx: PoolClient,
  logId: number,
): Promise<WindowKeeperRow | null> {
  const { rows } = await tx.query<Row>(
    `SELECT ${COLUMNS} FROM window_keepers WHERE log_id = $1 FOR UPDATE`,
    [logId],
  );
  return rows[0] === undefined ? null : { ...rows[0], scannedTo: Number(rows[0].scannedTo) };
}

export async function moveWindowKeeper(
  tx: PoolClient,
  logId: number,
  moved: Partial<Pick<WindowKeeperRow, 'sealedUntil' | 'scannedTo'>>,
): Promise<void> {
  await tx.query(
    `UPDATE window_keepers SET sealed_until = coalesce($2, sealed_until),
       scanned_to = coalesce($3, scanned_to)
     WHERE log_id = $1`,
    [logId, moved.sealedUntil ?? null, moved.scannedTo ?? null],
  );
}

/** Null before the first. */
export async function readLastSeal(db: Queryable, logId: number): Promise<LastSeal | null> {
  return await withDatabaseErrors('read the last seal', async () => {
    const { rows } = await db.query<{ position: bigint; rules: string }>({
      name: 'read_last_seal',
      text: `SELECT s.position, r.entry::json ->> 'rules' AS rules
             FROM seals s JOIN records r USING (position)
             WHERE s.log_id = $1 ORDER BY s.start DESC LIMIT 1`,
      values: [logId],
    });
    const row = rows[0];
    return row === undefined
      ? null
      : { leaf: leafOfPosition(Number(row.position)), rules: row.rules };
  });
}
