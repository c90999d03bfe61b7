import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** A signed statement of a log's head. */
export interface StoredCheckpoint {
  size: number;
  root: Uint8Array;
  /** C2SP tlog-checkpoint: a signed note. */
  note: string;
  signedAt: string;
}

/** The newest checkpoint of a log, null for an empty or unknown one. */
export async function latestCheckpoint(
  db: Queryable,
  logId: number,
): Promise<StoredCheckpoint | null> {
  return await read(db, 'WHERE log_id = $1 ORDER BY size DESC LIMIT 1', [logId]);
}

/** The oldest checkpoint that covers `size` leaves or more, null if the log is not as large. */
export async function checkpointCovering(
  db: Queryable,
  logId: number,
  size: number,
): Promise<StoredCheckpoint | null> {
  return await read(db, 'WHERE log_id = $1 AND size >= $2 ORDER BY size LIMIT 1', [logId, size]);
}

async function read(
  db: Queryable,
  where: string,
  values: readonly number[],
): Promise<StoredCheckpoint | null> {
  return await withDatabaseErrors(`read a checkpoint of log ${values[0]}`, async () => {
    const { rows } = await db.query<
      { size: bigint; root: Uint8Array; note: string; signed_at: string }
    >(`SELECT size, root, note, signed_at FROM checkpoints ${where}`, [...values]);
    const row = rows[0];
    if (row === undefined) return null;
    return { size: Number(row.size), root: row.root, note: row.note, signedAt: row.signed_at };
  });
}
