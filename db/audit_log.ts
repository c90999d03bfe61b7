/** The rows of a log as they are stored, for the audit: nothing here is computed or checked. */
import type { Pool } from 'pg';
import { positionOf } from '../ledger/position.ts';
import { inTransaction, type Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { LeafRange } from './log_entries.ts';

export interface StoredHead {
  origin: string;
  size: number;
  root: Uint8Array;
  frontier: Uint8Array;
}

export interface CheckpointRow {
  size: number;
  root: Uint8Array;
  note: string;
}

export interface TileRow {
  level: number;
  tile: number;
  hashes: Uint8Array;
}

/** A log at one moment. */
export interface LogSnapshot {
  head: StoredHead;
  /** Ascending: one for each transaction that appended. */
  checkpoints: CheckpointRow[];
  /** By level and number. */
  tiles: TileRow[];
}

/** Null for a log that was not begun. */
export async function readLogSnapshot(pool: Pool, logId: number): Promise<LogSnapshot | null> {
  return await withDatabaseErrors(`read log ${logId}`, () =>
    inTransaction(pool, async (tx) => {
      await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const heads = await tx.query<Omit<StoredHead, 'size'> & { size: bigint }>(
        'SELECT origin, size, root, frontier FROM logs WHERE log_id = $1',
        [logId],
      );
      const head = heads.rows[0];
      if (head === undefined) return null;
      const checkpoints = await tx.query<Omit<CheckpointRow, 'size'> & { size: bigint }>(
        'SELECT size, root, note FROM checkpoints WHERE log_id = $1 ORDER BY size',
        [logId],
      );
      const tiles = await tx.query<Omit<TileRow, 'tile'> & { tile: bigint }>(
        'SELECT level, tile, hashes FROM tiles WHERE log_id = $1 ORDER BY level, tile',
        [logId],
      );
      return {
        head: { ...head, size: Number(head.size) },
        checkpoints: checkpoints.rows.map((row) => ({ ...row, size: Number(row.size) })),
        tiles: tiles.rows.map((row) => ({ ...row, tile: Number(row.tile) })),
      };
    }));
}

/** The kinds of the records in a range, by leaf index, as their rows say. */
export async function readRecordKinds(
  db: Queryable,
  logId: number,
  { from, to }: LeafRange,
): Promise<Map<number, string>> {
  return await withDatabaseErrors(`read the records of log ${logId}`, async () => {
    const { rows } = await db.query<{ leaf: bigint; kind: string }>(
      `SELECT position - $1::bigint AS leaf, kind FROM records
       WHERE position >= $2 AND position < $3`,
      [positionOf(logId, 0), positionOf(logId, from), positionOf(logId, to)],
    );
    return new Map(rows.map(({ leaf, kind }) => [Number(leaf), kind]));
  });
}

/** The places of a log's `key` entries, in their order. */
export async function keyPlaces(db: Queryable, logId: number): Promise<number[]> {
  return await withDatabaseErrors(`look for the keys of log ${logId}`, async () => {
    const { rows } = await db.query<{ position: bigint }>(
      `SELECT position FROM records WHERE kind = 'key' AND position >= $1 AND position < $2
       ORDER BY position`,
      [positionOf(logId, 0), positionOf(logId + 1, 0)],
    );
    return rows.map(({ position }) => Number(position));
  });
}
