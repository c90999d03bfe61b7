import { NephoError } from '../meters/errors.ts';
import { parseQuantity, type Quantity } from '../meters/quantity.ts';
import type { MeterType } from '../meters/sample.ts';
import { formatMicros } from '../meters/timestamp.ts';
import { knownBefore, type LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';
import { addUsageConditions, type UsageFilters, type UsageGroup } from './usage_series.ts';
import { keyOf } from './usage_sums.ts';

/** Samples that one question may ask the single volumes of. */
export const MAX_VOLUMES = 250_000;

export interface VolumesRequest {
  readonly filters: UsageFilters;
  readonly groupBy: readonly UsageGroup[];
  readonly bounds: readonly bigint[];
  readonly sizes: LogSizes;
}

/**
 * The volumes of the samples of each group and bucket, by the key that `keyOf` of usage_sums.ts gives: for
 * what does not add up, as percentiles.
 *
 * @throws {NephoError} `range_too_large`
 */
export async function volumesByGroup(
  db: Queryable,
  scope: Scope,
  { filters, groupBy, bounds, sizes }: VolumesRequest,
): Promise<Map<string, Quantity[]>> {
  const where = new Conditions();
  addUsageConditions(where, scope, filters);
  const columns = ['meter', 'type', 'unit', ...groupBy].map((name) => `r.${name}`);
  const logs = `unnest(${where.bind(sizes.map(({ logId }) => logId))}::int[],
    ${where.bind(sizes.map(knownBefore))}::bigint[])`;
  const starts = where.bind(bounds.slice(0, -1).map(formatMicros));
  where.add(`s.ts >= ${where.bind(formatMicros(bounds[0] ?? 0n))}`);
  where.add(`s.ts < ${where.bind(formatMicros(bounds.at(-1) ?? 0n))}`);
  return await withDatabaseErrors('read the volumes of samples', async () => {
    const { rows } = await db.query<{ labels: (string | null)[]; bucket: number; volume: string }>(
      `SELECT ARRAY[${columns.join(', ')}]::text[] AS labels,
         width_bucket(s.ts, ${starts}::timestamptz[]) - 1 AS bucket, s.volume
       FROM samples s JOIN series r USING (series_id)
       JOIN ${logs} AS b(log_id, known_before) ON b.log_id = r.log_id
       WHERE ${where.sql} AND s.position + 0 < b.known_before LIMIT ${MAX_VOLUMES + 1}`,
      where.values,
    );
    if (rows.length > MAX_VOLUMES) {
      throw new NephoError(
        'range_too_large',
        `Cannot read the volumes of more than ${MAX_VOLUMES} samples: ask for a shorter range or ` +
          'fewer resources, or for no percentiles',
      );
    }
    const volumes = new Map<string, Quantity[]>();
    for (const { labels: [meter, type, unit, ...group], bucket, volume } of rows) {
      const key = keyOf({
        meter: meter ?? '',
        type: type as MeterType,
        unit: unit ?? '',
        group,
        bucket,
      });
      const list = volumes.get(key);
      if (list === undefined) volumes.set(key, [parseQuantity(volume)]);
      else list.push(parseQuantity(volume));
    }
    return volumes;
  });
}
