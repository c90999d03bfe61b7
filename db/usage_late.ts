import type { MeterType } from '../meters/sample.ts';
import { formatMicros } from '../meters/timestamp.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import type { Scope } from './scope.ts';
import type { SealedLog } from './sealed_until.ts';
import { addUsageConditions, type UsageFilters, type UsageGroup } from './usage_series.ts';
import { keyOf } from './usage_sums.ts';

/** Groups that are looked for; more only say the same. */
const MAX_LATE_GROUPS = 10_000;

/**
 * The groups and buckets that late samples are of: samples of sealed hours which no revision has counted yet.
 * Nearly always there are none, which the batches say already.
 *
 * @returns keys as `keyOf` of usage_sums.ts gives them
 */
export async function lateGroups(
  db: Queryable,
  scope: Scope,
  { filters, groupBy, labels, bounds, logs }: {
    filters: UsageFilters;
    groupBy: readonly UsageGroup[];
    /** Paths of metadata: with any, figures are computed from samples, late ones among them. */
    labels: readonly string[];
    bounds: readonly bigint[];
    logs: readonly SealedLog[];
  },
): Promise<Set<string>> {
  const keys = new Set<string>();
  if (labels.length > 0) return keys;
  for (const { lateFrom, knownBefore, sealedUntil } of logs) {
    if (lateFrom === null || sealedUntil === null) continue;
    const where = new Conditions();
    addUsageConditions(where, scope, filters);
    const starts = where.bind(bounds.slice(0, -1).map(formatMicros));
    const end = bounds.at(-1) ?? 0n;
    where.add(`s.ts >= ${where.bind(formatMicros(bounds[0] ?? 0n))}`);
    where.add(`s.ts < ${where.bind(formatMicros(end < sealedUntil ? end : sealedUntil))}`);
    where.add(`s.position >= ${where.bind(lateFrom)} AND s.position < ${where.bind(knownBefore)}`);
    const columns = ['meter', 'type', 'unit', ...groupBy].map((name) => `r.${name}`).join(', ');
    const { rows } = await db.query<{ labels: (string | null)[]; bucket: number }>(
      `SELECT DISTINCT ARRAY[${columns}]::text[] AS labels,
         width_bucket(s.ts, ${starts}::timestamptz[]) - 1 AS bucket
       FROM samples s JOIN series r USING (series_id) WHERE ${where.sql} LIMIT ${MAX_LATE_GROUPS}`,
      where.values,
    );
    for (const { labels: [meter, type, unit, ...group], bucket } of rows) {
      keys.add(keyOf({
        meter: meter ?? '',
        type: type as MeterType,
        unit: unit ?? '',
        group,
        bucket,
      }));
    }
  }
  return keys;
}
