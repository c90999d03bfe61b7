/** What a project used in a period so far. */
import { formatQuantity } from '../meters/quantity.ts';
import { compileMeterPatterns } from '../meters/meter_patterns.ts';
import type { MeterType } from '../meters/sample.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import { usageQuantity, usageUnit } from '../meters/usage_quantity.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { resolveAsOf } from './as_of.ts';
import type { BillingPeriod } from './billing_periods.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';
import { readUsage } from './usage.ts';

export interface PeriodTotal {
  meter: string;
  type: MeterType;
  usage_unit: string;
  /** A canonical quantity. */
  quantity: string;
}

export interface PeriodTotals {
  /** By meter, in order. */
  totals: PeriodTotal[];
  /** Meters of the project that are not among them, because there are too many. */
  left_out: number;
  /** Until when the period is counted; the present, until it ends. */
  until: string;
  /** Every hour before this is sealed; null if there is a log without any. */
  sealed_until: string | null;
}

/** Rows of one meter: types and units that differ. */
const KINDS_OF_A_METER = 20;

/**
 * Period-to-date totals by meter, unsealed hours included.
 *
 * @param options `now`: canonical timestamp; `limit`: meters at most, the first ones by name
 */
export async function periodTotals(
  db: Queryable,
  scope: Scope,
  period: BillingPeriod,
  options: { rules: UsageRules; now: string; limit: number },
): Promise<PeriodTotals> {
  const { rules, now, limit } = options;
  const until = now < period.end ? now : period.end;
  const selection = compileMeterPatterns(period.meters);
  const all = (await metersOf(db, period.projectId)).filter((meter) => selection.wants(meter));
  const meters = all.slice(0, limit);
  if (meters.length === 0 || until <= period.start) {
    return { totals: [], left_out: all.length - meters.length, until, sealed_until: null };
  }
  const { sums, sealedUntil } = await readUsage(db, scope, {
    filters: { meters, projectId: period.projectId },
    groupBy: [],
    labels: [],
    bounds: [toMicros(period.start), toMicros(until)],
    sizes: await resolveAsOf(db),
    rules,
    limit: limit * KINDS_OF_A_METER,
  });
  return {
    totals: sums.map(({ meter, type, unit, figures }) => ({
      meter,
      type,
      usage_unit: usageUnit(type, unit),
      quantity: formatQuantity(usageQuantity(type, figures).quantity),
    })),
    left_out: all.length - meters.length,
    until,
    sealed_until: sealedUntil === null ? null : formatMicros(sealedUntil),
  };
}

async function metersOf(db: Queryable, projectId: string): Promise<string[]> {
  return await withDatabaseErrors('read the meters of a project', async () => {
    const { rows } = await db.query<{ meter: string }>(
      'SELECT DISTINCT meter FROM series WHERE project_id = $1 ORDER BY meter',
      [projectId],
    );
    return rows.map(({ meter }) => meter);
  });
}
