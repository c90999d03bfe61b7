import type { MeterType } from '../meters/sample.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';
import { addUsageConditions, type UsageFilters } from './usage_series.ts';

/** A meter as it comes: with several types or units it is several kinds. */
export interface UsageKind {
  readonly meter: string;
  readonly type: MeterType;
  readonly unit: string;
}

/** The kinds of the series that are chosen, whenever they have samples. */
export async function usageKinds(
  db: Queryable,
  scope: Scope,
  filters: UsageFilters,
): Promise<UsageKind[]> {
  const where = new Conditions();
  addUsageConditions(where, scope, filters);
  return await withDatabaseErrors('read kinds of meters', async () => {
    const { rows } = await db.query<UsageKind>(
      `SELECT DISTINCT r.meter, r.type, r.unit FROM series r WHERE ${where.sql}
       ORDER BY r.meter, r.type, r.unit`,
      where.values,
    );
    return rows;
  });
}
