/** Windows and rollups as they are stored, for the audit. */
import { positionOf } from '../ledger/position.ts';
import type { SealedHour } from './audit_rows.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { FIGURE_COLUMNS, type FigureColumns } from './window_columns.ts';
import { WINDOW_WITH_SERIES, type WindowWithSeries } from './window_records.ts';

/** Every version of every window of an hour, by series key and revision. */
export async function windowsOfHour(
  db: Queryable,
  { logId, start }: SealedHour,
): Promise<WindowWithSeries[]> {
  return await withDatabaseErrors(`read the windows of ${start}`, async () => {
    const { rows } = await db.query<WindowWithSeries>(
      `SELECT ${WINDOW_WITH_SERIES} FROM windows w JOIN series r USING (series_id)
       WHERE w.start = $1 AND w.position >= $2 AND w.position < $3 ORDER BY r.key, w.revision`,
      [start, positionOf(logId, 0), positionOf(logId + 1, 0)],
    );
    return rows;
  });
}

export interface RollupRow extends FigureColumns {
  series_id: number;
  /** 1 day, 2 month. */
  span: number;
  start: string;
  revision: number;
  position: bigint;
}

/** A window as rollups merge it. */
export interface RolledWindow extends FigureColumns {
  series_id: number;
  start: string;
  revision: number;
  position: bigint;
}

const FIGURES = FIGURE_COLUMNS.join(', ');

/** Days (1) or months (2) of a log within a span of time, by series, start and revision. */
export async function rollupsWithin(
  db: Queryable,
  logId: number,
  { from, to }: { from: string; to: string },
): Promise<RollupRow[]> {
  return await withDatabaseErrors('read rollups', async () => {
    const { rows } = await db.query<RollupRow>(
      `SELECT series_id, span, start, revision, position, ${FIGURES} FROM window_rollups
       WHERE start >= $1 AND start < $2 AND position >= $3 AND position < $4
       ORDER BY series_id, span, start, revision`,
      [from, to, positionOf(logId, 0), positionOf(logId + 1, 0)],
    );
    return rows;
  });
}

/** Every version of every window of a log within a span of time, by series, start and revision. */
export async function windowsWithin(
  db: Queryable,
  logId: number,
  { from, to }: { from: string; to: string },
): Promise<RolledWindow[]> {
  return await withDatabaseErrors('read the windows of rollups', async () => {
    const { rows } = await db.query<RolledWindow>(
      `SELECT series_id, start, revision, position, ${FIGURES} FROM windows
       WHERE start >= $1 AND start < $2 AND position >= $3 AND position < $4
       ORDER BY series_id, start, revision`,
      [from, to, positionOf(logId, 0), positionOf(logId + 1, 0)],
    );
    return rows;
  });
}

/** For the place of each `revision` entry, that of the last one of its transaction. */
export async function lastOfRevision(db: Queryable, logId: number): Promise<Map<number, number>> {
  return await withDatabaseErrors('read the revisions of a log', async () => {
    const { rows } = await db.query<{ position: bigint; last: bigint }>(
      `SELECT position, max(position) OVER (PARTITION BY covers_from, covers_to) AS last
       FROM revisions WHERE log_id = $1`,
      [logId],
    );
    return new Map(rows.map(({ position, last }) => [Number(position), Number(last)]));
  });
}
