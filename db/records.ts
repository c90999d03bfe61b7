import { LEAVES_PER_LOG, positionOf } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** The entry texts of a log's newest records of a kind, newest first. They are not tenant data. */
export async function newestRecords(
  db: Queryable,
  logId: number,
  { kind, limit }: { kind: string; limit: number },
): Promise<string[]> {
  return await withDatabaseErrors(`read the '${kind}' records of log ${logId}`, async () => {
    const found = await db.query<{ entry: string }>(
      `SELECT entry FROM records WHERE position >= $1 AND position < $2 AND kind = $3
       ORDER BY position DESC LIMIT $4`,
      [positionOf(logId, 0), positionOf(logId, LEAVES_PER_LOG), kind, limit],
    );
    return found.rows.map((row) => row.entry);
  });
}

/** The entry text at a place, null if no record is there. */
export async function readRecord(db: Queryable, position: number): Promise<string | null> {
  return await withDatabaseErrors(`read the record at place ${position}`, async () => {
    const found = await db.query<{ entry: string }>(
      'SELECT entry FROM records WHERE position = $1',
      [position],
    );
    return found.rows[0]?.entry ?? null;
  });
}
