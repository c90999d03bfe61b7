/** Days and months out of sealed hours. They are sums of what is vouched for, and no record of their own. */
import type { PoolClient } from 'pg';
import { positionOf } from '../ledger/position.ts';
import { DAY_MICROS, formatMicros, toMicros } from '../meters/timestamp.ts';
import { literal } from './insert_batch.ts';
import { FIGURE_COLUMNS } from './window_columns.ts';

/** `window_rollups.span`. */
export const ROLLUP_SPANS = { day: 1, month: 2 } as const;

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
  const values: unknown[] = [span, start, end, position];
  const whose = seriesIds === undefined
    ? `p.position >= $5 AND p.position < $6`
    : 'p.series_id = ANY($5::int[])';
  if (seriesIds === undefined) values.push(positionOf(logId, 0), positionOf(logId + 1, 0));
  else values.push(literal(seriesIds));
  // What replaces nothing was not sealed, so that its revision is 1.
  const firstRevision = seriesIds === undefined ? 0 : 1;
  await tx.query(
    insertion(span === ROLLUP_SPANS.day ? HOURS : DAYS, { whose, firstRevision }),
    values,
  );
}

/** The rows that a rollup is made of: `p` stands for them. */
interface Parts {
  table: string;
  /** Of one span. */
  kind: string;
}

const HOURS: Parts = { table: 'windows', kind: 'true' };
const DAYS: Parts = { table: 'window_rollups', kind: `p.span = ${ROLLUP_SPANS.day}` };

/**
 * One pass over the parts, whatever the planner knows of them: these are the newest rows, of which its
 * statistics tell nothing yet. Hence also the first and last readings by the least and greatest array of time
 * and volume, and not by a join.
 */
function insertion(
  { table, kind }: Parts,
  { whose, firstRevision }: { whose: string; firstRevision: number },
): string {
  return `
    INSERT INTO window_rollups (series_id, span, start, revision, position, ${
    FIGURE_COLUMNS.join(', ')
  })
    SELECT m.series_id, $1, $2, coalesce((
        SELECT max(r.revision) + 1 FROM window_rollups r
        WHERE r.series_id = m.series_id AND r.span = $1 AND r.start = $2), ${firstRevision}), $4,
      count, sum, sum_squares, min, max, first_at, first[2], last_at, last[2], increase, resets,
      steps_back, integral, covered, expired, coalesce(last[3] = 1, false)
    FROM (
      SELECT p.series_id, ${SUMS}
      FROM ${table} p
      WHERE ${kind} AND p.start >= $2 AND p.start < $3 AND ${whose}
        AND NOT EXISTS (
          SELECT 1 FROM ${table} n WHERE n.revision > 0 AND ${kind.replace('p.', 'n.')}
            AND n.series_id = p.series_id AND n.start = p.start AND n.revision > p.revision)
      GROUP BY p.series_id
    ) m`;
}

/** Scales are cut, so that texts are canonical. */
const SUMS = `sum(p.count)::int AS count, trim_scale(sum(p.sum)) AS sum,
  trim_scale(sum(p.sum_squares)) AS sum_squares, min(p.min) AS min, max(p.max) AS max,
  min(p.first_at) AS first_at, max(p.last_at) AS last_at,
  min(ARRAY[extract(epoch FROM p.first_at), p.first_volume]) FILTER (WHERE p.count > 0) AS first,
  max(ARRAY[extract(epoch FROM p.last_at), p.last_volume, p.ended::int]) FILTER (WHERE p.count > 0)
    AS last,
  trim_scale(sum(p.increase)) AS increase, sum(p.resets)::int AS resets,
  sum(p.steps_back)::int AS steps_back, trim_scale(sum(p.integral)) AS integral,
  trim_scale(sum(p.covered)) AS covered, bool_or(p.expired) AS expired`;

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
