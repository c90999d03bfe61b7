import type { PoolClient } from 'pg';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** An exported history, beside its bytes. */
export interface StoredHistory {
  runId: string;
  workflowId: string;
  workflowType: string;
  events: number;
  /** SHA-256 of the canonical JSON, before compression. */
  digest: Uint8Array;
  /** Place of its `history` entry. */
  position: number;
  exportedAt: string;
}

export interface NewHistory extends StoredHistory {
  /** The canonical JSON in gzip. */
  compressed: Uint8Array;
}

interface HistoryRow {
  run_id: string;
  workflow_id: string;
  workflow_type: string;
  events: number;
  digest: Uint8Array;
  position: bigint;
  exported_at: string;
}

const COLUMNS = 'run_id, workflow_id, workflow_type, events, digest, position, exported_at';

/** The history of a run, null if it was not exported. */
export async function readHistory(db: Queryable, runId: string): Promise<StoredHistory | null> {
  return await withDatabaseErrors(`read the history of run '${runId}'`, async () => {
    const { rows } = await db.query<HistoryRow>(
      `SELECT ${COLUMNS} FROM workflow_histories WHERE run_id = $1`,
      [runId],
    );
    return rows[0] === undefined ? null : historyOf(rows[0]);
  });
}

/** Its bytes as they are stored: JSON in gzip. Null if there is none. */
export async function readHistoryBytes(db: Queryable, runId: string): Promise<Uint8Array | null> {
  return await withDatabaseErrors(`read the history of run '${runId}'`, async () => {
    const { rows } = await db.query<{ compressed: Uint8Array }>(
      'SELECT compressed FROM workflow_histories WHERE run_id = $1',
      [runId],
    );
    return rows[0]?.compressed ?? null;
  });
}

/** Within the transaction that appends its entry. */
export async function insertHistory(tx: PoolClient, history: NewHistory): Promise<void> {
  await tx.query(
    `INSERT INTO workflow_histories (${COLUMNS}, compressed)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      history.runId,
      history.workflowId,
      history.workflowType,
      history.events,
      history.digest,
      history.position,
      history.exportedAt,
      history.compressed,
    ],
  );
}

/** The log in which a run wrote its seals, revisions or statements, null if it wrote none. */
export async function logOfRun(db: Queryable, runId: string): Promise<number | null> {
  return await withDatabaseErrors(`find the log of run '${runId}'`, async () => {
    const { rows } = await db.query<{ position: bigint }>(
      `SELECT position FROM seals WHERE run_id = $1
       UNION ALL SELECT position FROM revisions WHERE run_id = $1
       UNION ALL SELECT position FROM statements WHERE run_id = $1
       LIMIT 1`,
      [runId],
    );
    return rows[0] === undefined ? null : Number(rows[0].position >> 40n);
  });
}

function historyOf(row: HistoryRow): StoredHistory {
  return {
    runId: row.run_id,
    workflowId: row.workflow_id,
    workflowType: row.workflow_type,
    events: row.events,
    digest: row.digest,
    position: Number(row.position),
    exportedAt: row.exported_at,
  };
}
