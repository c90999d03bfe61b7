import { positionOf } from '../ledger/position.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { Queryable } from './client.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';
import { completeRows, type SampleRow, type StoredSample, storedSample } from './sample_rows.ts';
import { coveredBefore } from './window_list.ts';
import type { WindowWithSeries } from './window_records.ts';

/** A sample that a window was computed from, and where it came from. */
export interface WindowSample extends StoredSample {
  /** Of its notification or poll. */
  readonly eventType: string | null;
  readonly receivedAt: string;
}

/**
 * The samples of a window's hour that its figures were computed from, in the order of their times; the
 * caller has seen to it that the window may be seen.
 *
 * @throws {NephoError} `limit_invalid`, `cursor_invalid`
 */
export async function listWindowSamples(
  db: Queryable,
  window: WindowWithSeries,
  { limit, cursor }: PageRequest,
): Promise<Page<WindowSample>> {
  checkLimit(limit);
  const after = decodeCursor('window samples', cursor, ['string', 'number']);
  const end = formatMicros(toMicros(window.start) + HOUR_MICROS);
  const before = await coveredBefore(db, window);
  return await withDatabaseErrors('list the samples of a window', async () => {
    const [afterTime, afterPosition] = after ?? ['-infinity', 0];
    const { rows } = await db.query<WindowSampleRow>(
      withNotification(`
        SELECT s.* FROM samples s
        WHERE s.series_id = $1 AND s.ts >= $2 AND s.ts < $3
          AND s.position + 0 >= $4 AND s.position + 0 < $5
          AND (s.ts, s.position) > ($6::timestamptz, $7::bigint)
        ORDER BY s.ts, s.position LIMIT ${limit + 1}`),
      [
        window.series_id,
        window.start,
        end,
        positionOf(window.log_id, 0),
        before,
        afterTime,
        afterPosition,
      ],
    );
    const page = pageOf(
      rows,
      limit,
      (row) => encodeCursor('window samples', [row.ts, Number(row.position)]),
    );
    return { rows: page.rows.map(windowSample), nextCursor: page.nextCursor };
  });
}

/** The samples that a window goes on from: several if they are of one time and volume. */
export async function carriedSamples(
  db: Queryable,
  window: WindowWithSeries,
): Promise<WindowSample[]> {
  if (window.carry_at === null) return [];
  const before = await coveredBefore(db, window);
  return await withDatabaseErrors('read what a window goes on from', async () => {
    const { rows } = await db.query<WindowSampleRow>(
      withNotification(`
        SELECT s.* FROM samples s
        WHERE s.series_id = $1 AND s.ts = $2 AND s.volume = $3
          AND s.position + 0 >= $4 AND s.position + 0 < $5
        ORDER BY s.position LIMIT 10`),
      [
        window.series_id,
        window.carry_at,
        window.carry_volume,
        positionOf(window.log_id, 0),
        before,
      ],
    );
    return rows.map(windowSample);
  });
}

interface WindowSampleRow extends SampleRow {
  event_type: string | null;
  received_at: string;
}

function withNotification(page: string): string {
  return completeRows(
    page,
    's.ts, s.position',
    `, o.received_at, (SELECT name FROM event_types t WHERE t.event_type_id = o.event_type_id)
       AS event_type`,
  );
}

function windowSample(row: WindowSampleRow): WindowSample {
  return { ...storedSample(row), eventType: row.event_type, receivedAt: row.received_at };
}
