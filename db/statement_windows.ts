/** The sealed windows that the lines of a statement sum: as they were known at sizes of the logs. */
import type { MeterType } from '../meters/sample.ts';
import { knownBefore, type LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { literal } from './insert_batch.ts';
import { type SeriesFields, WINDOW_COLUMNS, type WindowColumns } from './window_columns.ts';

/** A series of a project. */
export interface ProjectSeries extends SeriesFields {
  series_id: number;
  log_id: number;
  type: MeterType;
}

/** A row of a window in force. */
export interface StatementWindow extends WindowColumns {
  series_id: number;
  /** First instant of the hour. */
  start: string;
  revision: number;
}

/** Half-open: first instants of the first hour, and of that after the last. */
export interface HourSpan {
  from: string;
  to: string;
}

/** Which of a project's series a line sums: those of all resources if it names none. */
export interface SeriesSubject {
  meter: string;
  type: MeterType;
  unit: string;
  resource_id: string | null;
}

/** The series of a project that have windows in these hours, by key; of one line if it is given. */
export async function seriesWithWindows(
  db: Queryable,
  projectId: string,
  { from, to, of }: HourSpan & { of?: SeriesSubject },
): Promise<ProjectSeries[]> {
  return await withDatabaseErrors('read the series of a project', async () => {
    const { rows } = await db.query<ProjectSeries>(
      `SELECT series_id, log_id, replace(key::text, '-', '') AS key, meter, type, unit, project_id,
         user_id, resource_id, source
       FROM series r
       WHERE project_id = $1 AND ($4::text IS NULL OR (meter = $4 AND type = $5 AND unit = $6))
         AND ($7::text IS NULL OR resource_id = $7) AND EXISTS (
         SELECT FROM windows w WHERE w.series_id = r.series_id AND w.start >= $2 AND w.start < $3)
       ORDER BY key`,
      [projectId, from, to, of?.meter, of?.type, of?.unit, of?.resource_id],
    );
    return rows;
  });
}

/** The windows in force of some series, those of a series one after the other, by start. */
export async function windowsKnownAt(
  db: Queryable,
  series: readonly Pick<ProjectSeries, 'series_id' | 'log_id'>[],
  { from, to, sizes }: HourSpan & { sizes: LogSizes },
): Promise<StatementWindow[]> {
  const before = new Map(sizes.map((log) => [log.logId, knownBefore(log)]));
  // A log that had not begun by then had no window.
  const known = series.filter(({ log_id }) => before.has(log_id));
  if (known.length === 0) return [];
  return await withDatabaseErrors('read the windows of a period', async () => {
    const { rows } = await db.query<StatementWindow>(
      `SELECT DISTINCT ON (w.series_id, w.start) w.series_id, w.start, w.revision,
         ${WINDOW_COLUMNS.map((column) => `w.${column}`).join(', ')}
       FROM unnest($1::int[], $2::bigint[]) AS t(series_id, known_before)
       JOIN windows w USING (series_id)
       WHERE w.start >= $3 AND w.start < $4 AND w.position + 0 < t.known_before
       ORDER BY w.series_id, w.start, w.revision DESC`,
      [
        literal(known.map(({ series_id }) => series_id)),
        literal(known.map(({ log_id }) => before.get(log_id) ?? 0)),
        from,
        to,
      ],
    );
    return rows;
  });
}

/** True if a window of the project in these hours was written at or after these sizes. */
export async function wereRevisedSince(
  db: Queryable,
  projectId: string,
  { from, to, sizes }: HourSpan & { sizes: LogSizes },
): Promise<boolean> {
  return await withDatabaseErrors('look for revisions of a period', async () => {
    const { rows } = await db.query<{ revised: boolean }>(
      `SELECT EXISTS (
         SELECT FROM windows w JOIN series r USING (series_id)
         LEFT JOIN unnest($4::smallint[], $5::bigint[]) AS t(log_id, known_before) USING (log_id)
         WHERE w.revision > 0 AND w.start >= $2 AND w.start < $3 AND r.project_id = $1
           AND w.position >= coalesce(t.known_before, 0)) AS revised`,
      [
        projectId,
        from,
        to,
        literal(sizes.map(({ logId }) => logId)),
        literal(sizes.map(knownBefore)),
      ],
    );
    return rows[0]?.revised ?? false;
  });
}
