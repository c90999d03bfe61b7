/** What the runs of workflows wrote, for the audit. */
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

export interface WrittenByRun {
  hours: number;
  windows: number;
  /** First instant after the last hour that it sealed, null if it sealed none. */
  sealedUntil: string | null;
  /** `revision` entries. */
  revisions: number;
  /** Digests of statements, 64 hexadecimal digits each. */
  statements: string[];
}

export async function writtenByRun(db: Queryable, runId: string): Promise<WrittenByRun> {
  return await withDatabaseErrors(`read what run '${runId}' wrote`, async () => {
    const { rows } = await db.query<WrittenByRun>(
      `SELECT s.*, r.*, t.* FROM (
         SELECT count(*)::int AS hours, coalesce(sum(rows), 0)::int AS windows,
           max(start) + interval '1 hour' AS "sealedUntil" FROM seals WHERE run_id = $1
       ) s, (SELECT count(*)::int AS revisions FROM revisions WHERE run_id = $1) r,
       (SELECT coalesce(array_agg(encode(digest, 'hex')), '{}') AS statements
        FROM statements WHERE run_id = $1) t`,
      [runId],
    );
    return rows[0] ??
      { hours: 0, windows: 0, sealedUntil: null, revisions: 0, statements: [] };
  });
}

/** The runs whose histories were exported up to a time. */
export async function exportedRuns(db: Queryable, until: string): Promise<string[]> {
  return await withDatabaseErrors('list the histories', async () => {
    const { rows } = await db.query<{ run_id: string }>(
      'SELECT run_id FROM workflow_histories WHERE exported_at <= $1 ORDER BY run_id',
      [until],
    );
    return rows.map(({ run_id }) => run_id);
  });
}

export interface UnexportedRun {
  workflowId: string;
  runId: string;
}

/** Runs that wrote to a log before a time, and whose history is not there; the first 100. */
export async function unexportedRuns(db: Queryable, before: string): Promise<UnexportedRun[]> {
  return await withDatabaseErrors('look for missing histories', async () => {
    const { rows } = await db.query<UnexportedRun>(
      `SELECT DISTINCT workflow_id AS "workflowId", run_id AS "runId" FROM (
         SELECT workflow_id, run_id FROM seals WHERE sealed_at < $1
         UNION ALL SELECT workflow_id, run_id FROM revisions WHERE revised_at < $1
         UNION ALL SELECT workflow_id, run_id FROM statements WHERE closed_at < $1
       ) written
       WHERE NOT EXISTS (SELECT 1 FROM workflow_histories h WHERE h.run_id = written.run_id)
       ORDER BY 1, 2 LIMIT 100`,
      [before],
    );
    return rows;
  });
}
