/** The records of windows out of their rows: the texts whose leaf hashes seals and revisions vouch for. */
import { encodeWindow } from '../ledger/window_record.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { type SeriesFields, WINDOW_COLUMNS, windowRecord } from './window_columns.ts';
import { inForceBefore, type WindowRow } from './windows.ts';

/** A window with its series, as {@link WINDOW_WITH_SERIES} reads it. */
export interface WindowWithSeries extends Omit<WindowRow, 'position'>, SeriesFields {
  position: bigint;
  log_id: number;
}

/** The select list over `windows w JOIN series r USING (series_id)` that gives {@link WindowWithSeries}. */
export const WINDOW_WITH_SERIES = `w.series_id, w.start, w.revision, w.position, w.place, ${
  WINDOW_COLUMNS.map((column) => `w.${column}`).join(', ')
}, replace(r.key::text, '-', '') AS key, r.log_id, r.meter, r.type, r.unit, r.project_id, r.user_id,
  r.resource_id, r.source`;

/** The record's canonical text. */
export function windowText(row: WindowWithSeries): string {
  return encodeWindow(windowRecord(row, row, row));
}

/** The windows that one entry vouches for, by their place: a seal's tree, or a revision's list of changes. */
export async function windowsOfEntry(
  db: Queryable,
  position: number | bigint,
): Promise<WindowWithSeries[]> {
  return await withDatabaseErrors('read the windows of an entry', async () => {
    const { rows } = await db.query<WindowWithSeries>({
      name: 'windows_of_entry',
      text: `SELECT ${WINDOW_WITH_SERIES} FROM windows w JOIN series r USING (series_id)
             WHERE w.position = $1 ORDER BY w.place`,
      values: [position],
    });
    return rows;
  });
}

/**
 * The windows of some series in the hours of a span, as they stood at a place of their log; by series key
 * and start. Such as a revision left empty are among them.
 *
 * @param span `from` and `to` are first instants of hours, the second not included; `before` is the place
 *   of the first leaf that is not known
 */
export async function windowsAsOf(
  db: Queryable,
  seriesIds: readonly number[],
  span: { from: string; to: string; before: number | bigint },
): Promise<WindowWithSeries[]> {
  if (seriesIds.length === 0) return [];
  return await withDatabaseErrors('read windows as of a size', async () => {
    const { rows } = await db.query<WindowWithSeries>({
      name: 'windows_as_of',
      text: `SELECT ${WINDOW_WITH_SERIES} FROM windows w JOIN series r USING (series_id)
             WHERE w.series_id = ANY($1::int[]) AND w.start >= $2 AND w.start < $3
               AND w.position < $4 AND ${inForceBefore('$4')}
             ORDER BY r.key, w.start`,
      values: [seriesIds, span.from, span.to, span.before],
    });
    return rows;
  });
}
