/** Days and months out of sealed hours. They are sums of what is vouched for, and no record of their own. */
import type { PoolClient } from 'pg';
import { positionOf } from '../ledger/position.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import { literal } from './insert_batch.ts';
import { FIGURE_COLUMNS, HOUR_MICROS } from './window_columns.ts';

/** `window_rollups.span`. */
export const ROLLUP_SPANS = { day: 1, month: 2 } as const;

const DAY_MICROS = 24n * HOUR_MICROS;

/** A day or a month in UTC, `[start, end)`. */
export interface RollupSpan {
  span: (typeof ROLLUP_SPANS)[keyof typeof ROLLUP_SPANS];
  start: string;
  end: string;
}

/** The days and months that end at this time, days first. */
export function spansEndingAt(end: string): RollupSpan[] {
  return [dayOf(before(end)), monthOf(before(end))].filter((span) => span.end === end);
}

/** The day of a time, then its month. */
export function spansAround(time: string): RollupSpan[] {
  return [dayOf(time), monthOf(time)];
}

/**
 * Merges the windows in force, or for a month the days in force, of a span: as `mergeFigures` of
 * meters/window_figures.ts does. Rows that are there already are followed by their next revision.
 *
 * @param options `seriesIds`: those that changed; all of the log unless given
 */
export async function writeRollups(
  tx: PoolClient,
  { span, start, end }: RollupSpan,
  options: { logId: number; position: number; seriesIds?: readonly number[] },
): Promise<void> {
  const { logId, position, seriesIds } = options;
  const parts = span === ROLLUP_SPANS.day ? HOURS_IN_FORCE : DAYS_IN_FORCE;
  await tx.query(
    `INSERT INTO window_rollups (series_id, span, start, revision, position, ${COLUMNS})
     SELECT m.series_id, $1, $2, coalesce((
         SELECT max(r.revision) + 1 FROM window_rollups r
         WHERE r.series_id = m.series_id AND r.span = $1 AND r.start = $2), ${
      seriesIds === undefined ? 0 : 1
    }), $5, ${COLUMNS}
     FROM (
       SELECT p.series_id, ${MERGED}
       FROM ${parts} AND p.start >= $2 AND p.start < $3
         AND ${
      seriesIds === undefined
        ? 'p.position >= $4 AND p.position < $6'
        : 'p.series_id = ANY($4::int[])'
    }
       GROUP BY p.series_id
     ) m`,
    seriesIds === undefined
      ? [span, start, end, positionOf(logId, 0), position, positionOf(logId + 1, 0)]
      : [span, start, end, literal(seriesIds), position],
  );
}

const COLUMNS = FIGURE_COLUMNS.join(', ');

/** Nearly all rows are as they were sealed: only the few revised ones are looked for. */
const HOURS_IN_FORCE = `windows p WHERE NOT EXISTS (
  SELECT 1 FROM windows n WHERE n.revision > 0 AND n.series_id = p.series_id
    AND n.start = p.start AND n.revision > p.revision)`;
const DAYS_IN_FORCE = `window_rollups p WHERE p.span = ${ROLLUP_SPANS.day} AND NOT EXISTS (
  SELECT 1 FROM window_rollups n WHERE n.revision > 0 AND n.span = p.span
    AND n.series_id = p.series_id AND n.start = p.start AND n.revision > p.revision)`;

/** In the order of {@link FIGURE_COLUMNS}. Scales are cut, so that texts are canonical. */
const MERGED = `sum(p.count)::int AS count, trim_scale(sum(p.sum)) AS sum,
  trim_scale(sum(p.sum_squares)) AS sum_squares, min(p.min) AS min, max(p.max) AS max,
  (array_agg(p.first_at ORDER BY p.start) FILTER (WHERE p.count > 0))[1] AS first_at,
  (array_agg(p.first_volume ORDER BY p.start) FILTER (WHERE p.count > 0))[1] AS first_volume,
  (array_agg(p.last_at ORDER BY p.start DESC) FILTER (WHERE p.count > 0))[1] AS last_at,
  (array_agg(p.last_volume ORDER BY p.start DESC) FILTER (WHERE p.count > 0))[1] AS last_volume,
  trim_scale(sum(p.increase)) AS increase, sum(p.resets)::int AS resets,
  sum(p.steps_back)::int AS steps_back, trim_scale(sum(p.integral)) AS integral,
  trim_scale(sum(p.covered)) AS covered, bool_or(p.expired) AS expired,
  coalesce((array_agg(p.ended ORDER BY p.start DESC) FILTER (WHERE p.count > 0))[1], false) AS ended`;

function dayOf(time: string): RollupSpan {
  const start = `${time.slice(0, 10)}T00:00:00.000000Z`;
  return { span: ROLLUP_SPANS.day, start, end: formatMicros(toMicros(start) + DAY_MICROS) };
}

function monthOf(time: string): RollupSpan {
  const [year, month] = [Number(time.slice(0, 4)), Number(time.slice(5, 7))];
  const end = new Date(Date.UTC(year, month, 1)).toISOString();
  return {
    span: ROLLUP_SPANS.month,
    start: `${time.slice(0, 7)}-01T00:00:00.000000Z`,
    end: `${end.slice(0, 19)}.000000Z`,
  };
}

function before(time: string): string {
  return formatMicros(toMicros(time) - 1n);
}
