import { positionOf } from '../ledger/position.ts';
import { isCanonicalTimestamp } from '../meters/timestamp.ts';
import type { LogSizes } from './as_of.ts';
import { knownBefore } from './as_of.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';
import { addSeriesConditions, type SampleFilters } from './sample_filters.ts';
import type { Scope } from './scope.ts';
import { WINDOW_WITH_SERIES, type WindowWithSeries } from './window_records.ts';

/** Which windows: those of hours that begin at `from` or later and before `to`. */
export interface WindowFilters extends Omit<SampleFilters, 'metadata'> {
  readonly type?: string | undefined;
  readonly unit?: string | undefined;
}

/** What names a window over all its revisions. */
export interface WindowName {
  /** The series' key: 32 hexadecimal digits. */
  readonly series: string;
  /** First instant of its hour. */
  readonly start: string;
}

/**
 * The windows in force as the logs were known, by their hours and then by the numbers of their series. Such
 * as a revision left empty are among them.
 *
 * @throws {NephoError} `limit_invalid`, `cursor_invalid`
 */
export async function listWindows(
  db: Queryable,
  scope: Scope,
  filters: WindowFilters,
  { limit, cursor, sizes }: PageRequest & { sizes: LogSizes },
): Promise<Page<WindowWithSeries>> {
  checkLimit(limit);
  const after = decodeCursor('windows', cursor, ['string', 'number']);
  const where = new Conditions();
  const logs = knownLogs(where, sizes);
  addSeriesConditions(where, scope, filters);
  where.equal('r.type', filters.type);
  where.equal('r.unit', filters.unit);
  if (filters.from !== undefined) where.add(`w.start >= ${where.bind(filters.from)}`);
  if (filters.to !== undefined) where.add(`w.start < ${where.bind(filters.to)}`);
  if (after !== null) {
    where.add(`(w.start, w.series_id) > (${where.bind(after[0])}, ${where.bind(after[1])})`);
  }
  return await withDatabaseErrors('list windows', async () => {
    const { rows } = await db.query<WindowWithSeries>(
      `SELECT ${WINDOW_WITH_SERIES}
       FROM windows w JOIN series r USING (series_id) JOIN ${logs} ON b.log_id = r.log_id
       WHERE ${where.sql} AND ${IN_FORCE}
       ORDER BY w.start, w.series_id LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return pageOf(rows, limit, (row) => encodeCursor('windows', [row.start, row.series_id]));
  });
}

/** The revisions of a window that were known, the sealed one first. Empty if there is none in `scope`. */
export async function windowRevisions(
  db: Queryable,
  scope: Scope,
  { series, start }: WindowName,
  sizes: LogSizes,
): Promise<WindowWithSeries[]> {
  if (!isCanonicalTimestamp(start)) return [];
  const where = new Conditions();
  const logs = knownLogs(where, sizes);
  addSeriesConditions(where, scope, {});
  where.add(`r.key = ${where.bind(series)}::uuid`);
  where.equal('w.start', start);
  return await withDatabaseErrors('read a window', async () => {
    const { rows } = await db.query<WindowWithSeries>(
      `SELECT ${WINDOW_WITH_SERIES}
       FROM windows w JOIN series r USING (series_id) JOIN ${logs} ON b.log_id = r.log_id
       WHERE ${where.sql} AND ${IS_KNOWN} ORDER BY w.revision`,
      where.values,
    );
    return rows;
  });
}

/** The leaves that the figures of a window were computed from: those of its log before this place. */
export async function coveredBefore(
  db: Queryable,
  { log_id, position }: Pick<WindowWithSeries, 'log_id' | 'position'>,
): Promise<number> {
  return await withDatabaseErrors('read what a window covers', async () => {
    const { rows } = await db.query<{ covers_to: bigint }>(
      `SELECT covers_to FROM seals WHERE position = $1
       UNION ALL SELECT covers_to FROM revisions WHERE position = $1`,
      [position],
    );
    return positionOf(log_id, Number(rows[0]?.covers_to ?? 0n));
  });
}

/** The places of the entries that vouch for versions of windows, in their order; null of what is none. */
export async function placesOfWindows(
  db: Queryable,
  versions: readonly { seriesId: number; start: string; revision: number }[],
): Promise<(number | null)[]> {
  return await withDatabaseErrors('read the places of windows', async () => {
    const { rows } = await db.query<{ position: bigint | null }>(
      `SELECT w.position
       FROM unnest($1::int[], $2::timestamptz[], $3::int[])
         WITH ORDINALITY AS t(series_id, start, revision, n)
       LEFT JOIN windows w USING (series_id, start, revision) ORDER BY t.n`,
      [
        versions.map(({ seriesId }) => seriesId),
        versions.map(({ start }) => start),
        versions.map(({ revision }) => revision),
      ],
    );
    return rows.map(({ position }) => position === null ? null : Number(position));
  });
}

// The sum keeps the planner from the BRIN index of positions, which tells nearly nothing here.
const IS_KNOWN = 'w.position + 0 < b.known_before';
const IN_FORCE = `${IS_KNOWN} AND NOT EXISTS (
  SELECT FROM windows newer WHERE newer.revision > 0 AND newer.start = w.start
    AND newer.series_id = w.series_id AND newer.revision > w.revision
    AND newer.position < b.known_before)`;

function knownLogs(where: Conditions, sizes: LogSizes): string {
  return `unnest(${where.bind(sizes.map(({ logId }) => logId))}::int[],
    ${where.bind(sizes.map(knownBefore))}::bigint[]) AS b(log_id, known_before)`;
}
