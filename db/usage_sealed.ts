import { parseQuantity } from '../meters/quantity.ts';
import type { MeterType } from '../meters/sample.ts';
import { formatMicros } from '../meters/timestamp.ts';
import type { Span } from '../meters/zone.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import type { Scope } from './scope.ts';
import { addUsageConditions, type UsageFilters, type UsageGroup } from './usage_series.ts';
import type { UsageSums } from './usage_sums.ts';

/** The sealed rows that a range is made of. The spans of a level do not meet: what meets is one span. */
export interface SealedCover {
  readonly months: readonly Span[];
  readonly days: readonly Span[];
  readonly hours: readonly Span[];
}

/** Log and place of the first leaf that is not known of it. */
export interface KnownLog {
  readonly logId: number;
  readonly knownBefore: number;
}

export interface SealedRequest {
  readonly scope: Scope;
  readonly filters: UsageFilters;
  readonly groupBy: readonly UsageGroup[];
  readonly logs: readonly KnownLog[];
  readonly cover: SealedCover;
  /** Where the buckets begin, ascending. */
  readonly starts: readonly bigint[];
  /** Whether there are revised rows at all within the spans: with none, nobody is asked for them. */
  readonly revised: { readonly windows: boolean; readonly rollups: boolean };
  /** Rows to give at most. */
  readonly limit: number;
}

/**
 * Spans of one statement: each is a condition of its own. A range has few, but in zones half an hour off
 * UTC every day is cut out of hours.
 */
const MAX_SPANS = 64;

/**
 * Sums the sealed windows of the spans by group and bucket, as they stood at the logs' sizes: months where
 * whole months lie within a bucket, then days, then hours. Groups without any are not among the rows; a
 * group and bucket may be in several rows, which add up.
 */
export async function sumSealed(db: Queryable, request: SealedRequest): Promise<UsageSums[]> {
  const sums: UsageSums[] = [];
  for (const cover of statementsOf(request.cover)) {
    const { text, values } = statement({ ...request, cover });
    const { rows } = await db.query<SumsRow>(text, values);
    for (const row of rows) sums.push(sumsOf(row, request.groupBy));
  }
  return sums;
}

function statementsOf({ months, days, hours }: SealedCover): SealedCover[] {
  const count = Math.ceil(Math.max(months.length, days.length, hours.length) / MAX_SPANS);
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = [index * MAX_SPANS, (index + 1) * MAX_SPANS];
    return {
      months: months.slice(from, to),
      days: days.slice(from, to),
      hours: hours.slice(from, to),
    };
  });
}

/**
 * Groups are numbered first, so that texts are compared once a series and not once a row.
 */
function statement(request: SealedRequest): { text: string; values: unknown[] } {
  const where = new Conditions();
  addUsageConditions(where, request.scope, request.filters);
  const logs = `unnest(${where.bind(request.logs.map(({ logId }) => logId))}::int[],
    ${where.bind(request.logs.map(({ knownBefore }) => knownBefore))}::bigint[])`;
  const starts = where.bind(request.starts.map(formatMicros));
  const bucket = `width_bucket(start, ${starts}::timestamptz[]) - 1 AS bucket`;
  const labels = [...request.groupBy.map((name) => `r.${name}`), 'r.meter', 'r.type', 'r.unit'];
  const columns = labels.map((label, index) => `${label} AS label_${index}`);
  const names = labels.map((_, index) => `label_${index}`).join(', ');
  return {
    text: `
      WITH chosen AS MATERIALIZED (
        SELECT r.series_id, b.known_before, ${columns.join(', ')},
          dense_rank() OVER (ORDER BY ${labels.join(', ')}) AS number
        FROM series r JOIN ${logs} AS b(log_id, known_before) ON b.log_id = r.log_id
        WHERE ${where.sql}
      ), parts AS (${branchesOf(request, where).join(' UNION ALL ')}),
      sums AS (${
      request.filters.resourceId === undefined ? summed(bucket) : listed(bucket)
    } LIMIT ${where.bind(request.limit)})
      SELECT ${names}, sums.*
      FROM sums JOIN (SELECT DISTINCT number, ${names} FROM chosen) groups USING (number)`,
    values: where.values,
  };
}

function summed(bucket: string): string {
  return `
    SELECT number, ${bucket}, sum(count)::bigint AS count, trim_scale(sum(sum)) AS sum,
      min(min) AS min, max(max) AS max, trim_scale(sum(increase)) AS increase,
      sum(resets)::bigint AS resets, sum(steps_back)::bigint AS steps_back,
      trim_scale(sum(integral)) AS integral, (sum(covered) * 1000000)::bigint AS covered,
      bool_or(expired) AS expired
    FROM parts GROUP BY 1, 2`;
}

/** One resource has few rows in a bucket, often one: adding them up here takes longer than giving them. */
function listed(bucket: string): string {
  return `
    SELECT number, ${bucket}, count::bigint, sum, min, max, increase, resets::bigint,
      steps_back::bigint, integral, (covered * 1000000)::bigint AS covered, expired
    FROM parts`;
}

const FIGURES = 'count, sum, min, max, increase, resets, steps_back, integral, covered, expired';

/** The rows in force of each level that the range is made of. */
function branchesOf({ cover, revised }: SealedRequest, where: Conditions): string[] {
  const { months, days, hours } = cover;
  const branches: string[] = [];
  const add = (table: string, level: string, spans: readonly Span[]): void => {
    if (spans.length === 0) return;
    const within = spans.map(({ start, end }) =>
      `w.start >= ${where.bind(formatMicros(start))} AND w.start < ${where.bind(formatMicros(end))}`
    ).join(' OR ');
    const isRevised = table === 'windows' ? revised.windows : revised.rollups;
    branches.push(...inForce(table, `${level}(${within})`, isRevised));
  };
  add('window_rollups', 'w.span = 2 AND ', months);
  add('window_rollups', 'w.span = 1 AND ', days);
  add('windows', '', hours);
  return branches;
}

/**
 * Of each series and span of time the row of the greatest revision that was known. Nearly all rows are
 * those that were sealed: only the few revised ones are sorted, which an index of their own holds.
 */
function inForce(table: string, within: string, isRevised: boolean): string[] {
  // The sum keeps the planner from the BRIN index of positions, which tells nearly nothing here.
  const isKnown = 'w.position + 0 < c.known_before';
  const sealed = `SELECT c.number, w.start, ${FIGURES}
    FROM chosen c JOIN ${table} w USING (series_id)
    WHERE w.revision = 0 AND ${isKnown} AND ${within}`;
  if (!isRevised) return [sealed];
  const same = table === 'windows' ? '' : 'v.span = w.span AND ';
  return [
    `${sealed} AND NOT EXISTS (
       SELECT FROM ${table} v WHERE v.revision > 0 AND ${same}v.start = w.start
         AND v.series_id = w.series_id AND v.position < c.known_before)`,
    `SELECT number, start, ${FIGURES} FROM (
       SELECT DISTINCT ON (w.start, w.series_id) c.number, w.start, ${FIGURES}
       FROM chosen c JOIN ${table} w USING (series_id)
       WHERE w.revision > 0 AND ${isKnown} AND ${within}
       ORDER BY w.start, w.series_id, w.revision DESC) revised`,
  ];
}

/** And the group's columns as `label_0` and so on. */
interface SumsRow extends Record<`label_${number}`, string | null> {
  bucket: number;
  count: bigint;
  sum: string;
  min: string | null;
  max: string | null;
  increase: string;
  resets: bigint;
  steps_back: bigint;
  integral: string;
  covered: bigint;
  expired: boolean;
}

function sumsOf(row: SumsRow, groupBy: readonly UsageGroup[]): UsageSums {
  const labels = Array.from({ length: groupBy.length + 3 }, (_, index) => row[`label_${index}`]);
  const [meter, type, unit] = labels.slice(groupBy.length);
  return {
    group: labels.slice(0, groupBy.length).map((label) => label ?? null),
    meter: meter ?? '',
    type: type as MeterType,
    unit: unit ?? '',
    bucket: row.bucket,
    figures: {
      count: Number(row.count),
      sum: parseQuantity(row.sum),
      min: row.min === null ? null : parseQuantity(row.min),
      max: row.max === null ? null : parseQuantity(row.max),
      increase: parseQuantity(row.increase),
      resets: Number(row.resets),
      stepsBack: Number(row.steps_back),
      integral: parseQuantity(row.integral),
      coveredMicros: row.covered,
      expired: row.expired,
    },
  };
}
