import { NephoError } from '../meters/errors.ts';
import { divideQuantities, formatQuantity, parseQuantity } from '../meters/quantity.ts';
import type { MeterType } from '../meters/sample.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import { withDatabaseErrors } from './errors.ts';
import {
  addMetadataConditions,
  addSeriesConditions,
  addTimeConditions,
  hasMetadataFilter,
  type SampleFilters,
} from './sample_filters.ts';
import type { Scope } from './scope.ts';

/** What samples can be grouped by, as columns of `series`. */
export const STATISTICS_GROUPS = [
  'meter',
  'project_id',
  'resource_id',
  'user_id',
  'source',
] as const;
export type StatisticsGroup = (typeof STATISTICS_GROUPS)[number];

export interface StatisticsRequest {
  groupBy?: readonly StatisticsGroup[] | undefined;
  /** Seconds of a period; without it there is one from the first sample to the last. */
  periodSeconds?: number | undefined;
}

/** Ceilometer's statistics of the samples of one group, in one period, of one type and unit. */
export interface Statistics {
  /** The values of `groupBy`. */
  group: Partial<Record<StatisticsGroup, string | null>>;
  type: MeterType;
  unit: string;
  count: number;
  /** Exact decimals, as text. */
  sum: string;
  min: string;
  max: string;
  /** The mean of the samples, not weighted by time, to {@link AVERAGE_DECIMALS}, ties to even. */
  avg: string;
  /** Timestamps of the first and the last sample, and the seconds between them. */
  durationStart: string;
  durationEnd: string;
  duration: string;
  /** Half-open, counted from `from` or the first sample; that of the samples without a period. */
  periodStart: string;
  periodEnd: string;
}

export const AVERAGE_DECIMALS = 12;
/** Groups times periods that one answer may have. */
export const MAX_STATISTICS = 10_000;
const MAX_PERIOD_SECONDS = 100 * 366 * 86_400;

/**
 * Counts, sums and extremes of the samples that `filters` choose: one row per group and period that has
 * samples. Samples of different units or types are never added up.
 *
 * @throws {NephoError} `period_invalid`, `too_many_groups`, `timestamp_invalid`
 */
export async function statistics(
  db: Queryable,
  scope: Scope,
  filters: SampleFilters,
  { groupBy = [], periodSeconds }: StatisticsRequest = {},
): Promise<Statistics[]> {
  checkPeriod(periodSeconds);
  const columns = STATISTICS_GROUPS.filter((column) => groupBy.includes(column));
  return await withDatabaseErrors('compute statistics', async () => {
    const periodFrom = periodSeconds === undefined ? null : await periodStart(db, scope, filters);
    if (periodSeconds !== undefined && periodFrom === null) return [];
    const { text, values } = query(scope, filters, { columns, periodSeconds, periodFrom });
    const { rows } = await db.query<StatisticsRow>(text, values);
    if (rows.length > MAX_STATISTICS) {
      throw new NephoError(
        'too_many_groups',
        `Cannot give more than ${MAX_STATISTICS} rows of statistics: ask for fewer groups, longer ` +
          'periods or a shorter time',
      );
    }
    return rows.map((row) => statisticsOf(row, columns, periodSeconds));
  });
}

interface StatisticsRow extends Record<StatisticsGroup, string | null> {
  type: MeterType;
  unit: string;
  count: bigint;
  sum: string;
  min: string;
  max: string;
  first: string;
  last: string;
  bucket: string | null;
}

interface QueryOptions {
  columns: readonly StatisticsGroup[];
  periodSeconds: number | undefined;
  periodFrom: string | null;
}

/**
 * Samples are added up by series first, so that the texts of a series are joined and compared once a
 * series and not once a sample.
 */
function query(
  scope: Scope,
  filters: SampleFilters,
  { columns, periodSeconds, periodFrom }: QueryOptions,
): { text: string; values: unknown[] } {
  const where = chosenSamples(scope, filters);
  const bucket = periodSeconds === undefined
    ? 'NULL::timestamptz'
    : `date_bin(make_interval(secs => ${where.bind(periodSeconds)}), s.ts, ${
      where.bind(periodFrom)
    })`;
  const groups = columns.map((column) => `r.${column}, `).join('');
  return {
    text: `
      SELECT ${groups} r.type, r.unit, p.bucket, sum(p.count)::bigint AS count,
        trim_scale(sum(p.sum)) AS sum, min(p.min) AS min, max(p.max) AS max,
        min(p.first) AS first, max(p.last) AS last
      FROM (
        SELECT s.series_id, ${bucket} AS bucket, count(*) AS count, sum(s.volume) AS sum,
          min(s.volume) AS min, max(s.volume) AS max, min(s.ts) AS first, max(s.ts) AS last
        FROM ${from(filters)} WHERE ${where.sql} GROUP BY 1, 2
      ) p JOIN series r USING (series_id)
      GROUP BY ${groups} r.type, r.unit, p.bucket
      ORDER BY ${groups} r.type, r.unit, p.bucket
      LIMIT ${MAX_STATISTICS + 1}`,
    values: where.values,
  };
}

function chosenSamples(scope: Scope, filters: SampleFilters): Conditions {
  const where = new Conditions();
  addTimeConditions(where, filters);
  const series = new Conditions(where.values);
  addSeriesConditions(series, scope, filters);
  if (!series.isEmpty) {
    where.add(`s.series_id IN (SELECT r.series_id FROM series r WHERE ${series.sql})`);
  }
  addMetadataConditions(where, filters);
  return where;
}

function from(filters: SampleFilters): string {
  return hasMetadataFilter(filters) ? 'samples s JOIN metadata m USING (metadata_id)' : 'samples s';
}

/** Where the periods are counted from: the start of the time asked for, else the first sample. */
async function periodStart(
  db: Queryable,
  scope: Scope,
  filters: SampleFilters,
): Promise<string | null> {
  if (filters.from !== undefined) return filters.from;
  const where = chosenSamples(scope, filters);
  const { rows } = await db.query<{ first: string | null }>(
    `SELECT min(s.ts) AS first FROM ${from(filters)} WHERE ${where.sql}`,
    where.values,
  );
  return rows[0]?.first ?? null;
}

function statisticsOf(
  row: StatisticsRow,
  columns: readonly StatisticsGroup[],
  periodSeconds: number | undefined,
): Statistics {
  const sum = parseQuantity(row.sum);
  const micros = toMicros(row.last) - toMicros(row.first);
  const count = { unscaled: row.count, scale: 0 };
  const isWhole = row.bucket === null || periodSeconds === undefined;
  return {
    group: Object.fromEntries(columns.map((column) => [column, row[column]])),
    type: row.type,
    unit: row.unit,
    count: Number(row.count),
    sum: formatQuantity(sum),
    min: row.min,
    max: row.max,
    avg: formatQuantity(divideQuantities(sum, count, AVERAGE_DECIMALS)),
    durationStart: row.first,
    durationEnd: row.last,
    duration: formatQuantity(parseQuantity(`${micros}e-6`)),
    periodStart: isWhole ? row.first : row.bucket ?? row.first,
    periodEnd: isWhole
      ? row.last
      : formatMicros(toMicros(row.bucket ?? row.first) + BigInt(periodSeconds) * 1_000_000n),
  };
}

function checkPeriod(seconds: number | undefined): void {
  if (seconds === undefined) return;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_PERIOD_SECONDS) return;
  throw new NephoError(
    'period_invalid',
    `Cannot count in periods of ${seconds} s: give whole seconds, 1 to ${MAX_PERIOD_SECONDS}`,
  );
}
