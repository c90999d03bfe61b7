import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** The head of a log as stored, and who writes to it. */
export interface LogState {
  logId: number;
  /** The origin line of its checkpoints. */
  origin: string;
  size: number;
  root: Uint8Array;
  epoch: bigint;
  holder: string | null;
  /** Notifications that were understood: origins of this log. */
  origins: number;
  /** Of the last batch, null before the first. */
  updatedAt: string | null;
}

interface LogRow {
  log_id: number;
  origin: string;
  size: bigint;
  root: Uint8Array;
  epoch: bigint;
  holder: string | null;
  origins_count: bigint;
  updated_at: string | null;
}

const SELECT =
  'SELECT log_id, origin, size, root, epoch, holder, origins_count, updated_at FROM logs';

/** All logs by their number: one a shard, hence few. */
export async function listLogs(db: Queryable): Promise<LogState[]> {
  return await withDatabaseErrors('list the logs', async () => {
    const { rows } = await db.query<LogRow>(`${SELECT} ORDER BY log_id`);
    return rows.map(stateOf);
  });
}

/** One log, null if there is none of that number. */
export async function readLog(db: Queryable, logId: number): Promise<LogState | null> {
  return await withDatabaseErrors(`read log ${logId}`, async () => {
    const { rows } = await db.query<LogRow>(`${SELECT} WHERE log_id = $1`, [logId]);
    return rows[0] === undefined ? null : stateOf(rows[0]);
  });
}

function stateOf(row: LogRow): LogState {
  return {
    logId: row.log_id,
    origin: row.origin,
    size: Number(row.size),
    root: row.root,
    epoch: row.epoch,
    holder: row.holder,
    origins: Number(row.origins_count),
    updatedAt: row.updated_at,
  };
}
