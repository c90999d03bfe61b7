/** The periods that projects are billed by, and what is to be done about them. */
import type { PoolClient } from 'pg';
import type { LineGroup } from '../meters/billing_config.ts';
import { LEAVES_PER_LOG, positionOf } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

export interface BillingPeriod {
  projectId: string;
  period: string;
  start: string;
  end: string;
  zone: string;
  groupBy: LineGroup;
  /** Patterns of the meters that have lines. */
  meters: string[];
}

/** What an actor is to be told. */
export type PeriodWant = 'open' | 'amend';

const COLUMNS =
  `project_id AS "projectId", period, start, "end", zone, group_by AS "groupBy", meters`;

export async function readBillingPeriod(
  db: Queryable,
  projectId: string,
  period: string,
): Promise<BillingPeriod | null> {
  return await withDatabaseErrors('read a billing period', async () => {
    const { rows } = await db.query<BillingPeriod>(
      `SELECT ${COLUMNS} FROM billing_periods WHERE project_id = $1 AND period = $2`,
      [projectId, period],
    );
    return rows[0] ?? null;
  });
}

/** The period that an instant is in. */
export async function currentPeriod(
  db: Queryable,
  projectId: string,
  instant: string,
): Promise<BillingPeriod | null> {
  return await withDatabaseErrors('read a billing period', async () => {
    const { rows } = await db.query<BillingPeriod>(
      `SELECT ${COLUMNS} FROM billing_periods
       WHERE project_id = $1 AND start <= $2 AND "end" > $2`,
      [projectId, instant],
    );
    return rows[0] ?? null;
  });
}

/** The periods of some projects that lie at least in part within a span of time. */
export async function periodsWithin(
  db: Queryable,
  projectIds: readonly string[],
  span: { from: string; to: string },
): Promise<BillingPeriod[]> {
  const { rows } = await db.query<BillingPeriod>(
    `SELECT ${COLUMNS} FROM billing_periods
     WHERE project_id = ANY($1::text[]) AND "end" > $2 AND start < $3`,
    [projectIds, span.from, span.to],
  );
  return rows;
}

/** Writes periods that are new, each to be opened. One that is there already stays as it is. */
export async function insertPeriods(
  tx: PoolClient,
  periods: readonly BillingPeriod[],
  openedAt: string,
): Promise<void> {
  await tx.query(
    `INSERT INTO billing_periods
       (project_id, period, start, "end", zone, group_by, meters, opened_at, wanted)
     SELECT project_id, period, start, "end", zone, group_by, string_to_array(meters, E'\\n'), $1, 'open'
     FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[],
       $8::text[]) AS t(project_id, period, start, "end", zone, group_by, meters)
     ON CONFLICT (project_id, period) DO NOTHING`,
    [
      openedAt,
      periods.map(({ projectId }) => projectId),
      periods.map(({ period }) => period),
      periods.map(({ start }) => start),
      periods.map(({ end }) => end),
      periods.map(({ zone }) => zone),
      periods.map(({ groupBy }) => groupBy),
      periods.map(({ meters }) => meters.join('\n')),
    ],
  );
}

export interface PeriodName {
  projectId: string;
  period: string;
}

/** Periods whose windows were revised after their statement: an amendment is to be looked for. */
export async function wantAmendments(tx: PoolClient, names: readonly PeriodName[]): Promise<void> {
  await tx.query(
    `UPDATE billing_periods b SET wanted = 'amend'
     FROM unnest($1::text[], $2::text[]) AS t(project_id, period)
     WHERE b.project_id = t.project_id AND b.period = t.period`,
    [names.map(({ projectId }) => projectId), names.map(({ period }) => period)],
  );
}

export interface WantedPeriod extends PeriodName {
  want: PeriodWant;
}

/**
 * Periods whose actors are to be started or told, by project and name: those that are wanted, and those that
 * should long have been closed, whose actors may be lost.
 *
 * @param options `overdue`: the end of those that should have been closed, not included
 */
export async function wantedPeriods(
  db: Queryable,
  options: { overdue: string; after: PeriodName | null; limit: number },
): Promise<WantedPeriod[]> {
  const { overdue, after, limit } = options;
  return await withDatabaseErrors('read the billing periods to work on', async () => {
    const { rows } = await db.query<WantedPeriod>(
      `SELECT project_id AS "projectId", period, coalesce(wanted, 'open') AS want
       FROM billing_periods b
       WHERE (wanted IS NOT NULL OR ("end" < $1 AND NOT EXISTS (
           SELECT FROM statements s WHERE s.project_id = b.project_id AND s.period = b.period)))
         AND ($2::text IS NULL OR (project_id, period) > ($2, $3))
       ORDER BY project_id, period LIMIT $4`,
      [overdue, after?.projectId ?? null, after?.period ?? null, limit],
    );
    return rows;
  });
}

/** Takes note that the actors were told. What was wanted anew in the meantime stays wanted. */
export async function noteTold(db: Queryable, told: readonly WantedPeriod[]): Promise<void> {
  await withDatabaseErrors('note the billing periods that were told', async () => {
    await db.query(
      `UPDATE billing_periods b SET wanted = NULL
       FROM unnest($1::text[], $2::text[], $3::text[]) AS t(project_id, period, want)
       WHERE b.project_id = t.project_id AND b.period = t.period AND b.wanted = t.want`,
      [
        told.map(({ projectId }) => projectId),
        told.map(({ period }) => period),
        told.map(({ want }) => want),
      ],
    );
  });
}

/** Hours of projects of which windows were written. */
export interface TouchedHour {
  projectId: string;
  start: string;
  /** Place of the last entry that wrote them. */
  position: number;
}

/** What was written into a log's windows since it was last looked through. */
export interface LogScan {
  logId: number;
  touched: TouchedHour[];
  /** Where to go on, see {@link moveMark}; null if there was nothing. */
  scannedTo: bigint | null;
}

/**
 * Looks through the next seals and revisions of a log, at most so many. Within a transaction that calls
 * {@link moveMark}: two such exclude each other.
 */
export async function scanWindows(
  tx: PoolClient,
  logId: number,
  { entries }: { entries: number },
): Promise<LogScan> {
  await tx.query(
    'INSERT INTO billing_marks (log_id, scanned_to) VALUES ($1, 0) ON CONFLICT (log_id) DO NOTHING',
    [logId],
  );
  const base = BigInt(positionOf(logId, 0));
  const mark = await tx.query<{ scanned_to: bigint }>(
    'SELECT scanned_to FROM billing_marks WHERE log_id = $1 FOR UPDATE',
    [logId],
  );
  const from = base + (mark.rows[0]?.scanned_to ?? 0n);
  const { rows: [found] } = await tx.query<{ last: bigint | null }>(
    `SELECT max(position) AS last FROM (
       SELECT position FROM (
         SELECT position FROM seals WHERE position >= $1 AND position < $2
         UNION ALL SELECT position FROM revisions WHERE position >= $1 AND position < $2
       ) entries ORDER BY position LIMIT $3) next`,
    [from, positionOf(logId + 1, 0), entries],
  );
  const last = found?.last ?? null;
  if (last === null) return { logId, touched: [], scannedTo: null };
  const { rows } = await tx.query<Omit<TouchedHour, 'position'> & { position: bigint }>(
    `SELECT r.project_id AS "projectId", w.start, max(w.position) AS position
     FROM windows w JOIN series r USING (series_id)
     WHERE w.position >= $1 AND w.position <= $2 AND r.project_id IS NOT NULL
     GROUP BY 1, 2`,
    [from, last],
  );
  return {
    logId,
    touched: rows.map((row) => ({ ...row, position: Number(row.position) })),
    scannedTo: last + 1n - base,
  };
}

export async function moveMark(
  tx: PoolClient,
  { logId, scannedTo }: { logId: number; scannedTo: bigint },
): Promise<void> {
  await tx.query('UPDATE billing_marks SET scanned_to = $2 WHERE log_id = $1', [logId, scannedTo]);
}

/** True if every hour before an instant is sealed, of each log in which anything is. */
export async function isSealedUntil(db: Queryable, instant: string): Promise<boolean> {
  return await withDatabaseErrors('read how far windows are sealed', async () => {
    const { rows } = await db.query<{ sealed: boolean }>(
      `SELECT NOT EXISTS (
         SELECT FROM logs l LEFT JOIN window_keepers k USING (log_id)
         WHERE (k.sealed_until IS NULL OR k.sealed_until < $1) AND EXISTS (
           SELECT FROM batches b
           WHERE b.position >= l.log_id * $2::bigint AND b.position < (l.log_id + 1) * $2::bigint)
       ) AS sealed`,
      [instant, LEAVES_PER_LOG],
    );
    return rows[0]?.sealed ?? false;
  });
}
