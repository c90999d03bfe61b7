/** Readings that polling did not get, as gaps of a project's statement. */
import type { StatementGap } from '../ledger/statement_document.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

export interface GapRequest {
  projectId: string;
  start: string;
  end: string;
  /** Gaps as they were known at this time. */
  closedAt: string;
  /** Gaps at most; where there are more, resources are not told apart. */
  limit: number;
}

/** Seconds that a cycle stands for if its source is not known any more. */
const DEFAULT_CYCLE_SECONDS = 600;

/**
 * The open gaps of polling that concern a project: those of its resources, and those of its meters of which
 * nobody knows whose readings are missing. Cycles that follow each other are one gap; what a later reading of a
 * cumulative meter carries on is none.
 */
export async function pollGapsOf(db: Queryable, request: GapRequest): Promise<StatementGap[]> {
  const gaps = await readGaps(db, request, true);
  return gaps.length <= request.limit ? gaps : await readGaps(db, request, false);
}

async function readGaps(
  db: Queryable,
  { projectId, start, end, closedAt, limit }: GapRequest,
  isByResource: boolean,
): Promise<StatementGap[]> {
  return await withDatabaseErrors('read the gaps of a period', async () => {
    const { rows } = await db.query<StatementGap>(
      `WITH own AS (
         SELECT DISTINCT meter, resource_id FROM series WHERE project_id = $1
       ), cycles AS (
         SELECT cycle_id, cycle, cycle + make_interval(secs => coalesce(
             (SELECT interval_seconds FROM poll_sources p WHERE p.cloud = c.cloud AND p.name = c.source),
             $5)) AS until
         FROM poll_cycles c WHERE c.cycle < $3 AND c.cycle > $2::timestamptz - interval '1 day'
       ), missing AS (
         SELECT DISTINCT o.meter, CASE WHEN $6 THEN g.unit END AS resource_id, g.reason,
           greatest(c.cycle, $2) AS since, least(c.until, $3) AS until
         FROM poll_gaps g JOIN cycles c USING (cycle_id)
         CROSS JOIN LATERAL unnest(g.meters) AS named(meter)
         JOIN own o ON (o.meter = named.meter OR named.meter = '*')
           AND (g.unit IS NULL OR g.unit = o.resource_id)
         WHERE c.until > $2 AND g.recorded_at <= $4 AND g.carried_by IS NULL
           AND (g.repaired_at IS NULL OR g.repaired_at > $4)
       ), marked AS (
         SELECT *, since > max(until) OVER (PARTITION BY meter, resource_id, reason
           ORDER BY since, until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_new
         FROM missing
       ), numbered AS (
         SELECT *, count(*) FILTER (WHERE is_new) OVER (PARTITION BY meter, resource_id, reason
           ORDER BY since, until) AS n
         FROM marked
       )
       SELECT meter, resource_id, min(since) AS "from", max(until) AS "to", reason
       FROM numbered GROUP BY meter, resource_id, reason, n
       ORDER BY 1, 2, 3, 5 LIMIT $7`,
      [projectId, start, end, closedAt, DEFAULT_CYCLE_SECONDS, isByResource, limit + 1],
    );
    return rows;
  });
}

/** Until the end of a period, what sources have not been accounted for: nobody knows whether it is missing. */
export async function unaccountedOf(
  db: Queryable,
  { start, end }: Pick<GapRequest, 'start' | 'end'>,
): Promise<StatementGap[]> {
  return await withDatabaseErrors('read what is not accounted for', async () => {
    const { rows } = await db.query<{ since: string | null }>(
      `SELECT min(greatest(checked_until, applied_at, $1)) AS since FROM poll_sources
       WHERE removed_at IS NULL AND checked_until < $2 AND applied_at < $2`,
      [start, end],
    );
    const since = rows[0]?.since ?? null;
    return since === null
      ? []
      : [{ meter: '*', resource_id: null, from: since, to: end, reason: 'unaccounted' }];
  });
}
