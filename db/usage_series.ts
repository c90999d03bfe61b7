import type { Conditions } from './conditions.ts';
import { addSeriesConditions } from './sample_filters.ts';
import type { Scope } from './scope.ts';

/** What usage can be summed up by, as columns of `series`. Meters, types and units are never added up. */
export const USAGE_GROUPS = ['project_id', 'resource_id', 'meter', 'user_id', 'source'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** Whose usage: all conditions must hold, undefined asks for nothing, null for series without one. */
export interface UsageFilters {
  /** At least one. */
  readonly meters: readonly string[];
  readonly resourceId?: string | undefined;
  readonly projectId?: string | null | undefined;
  readonly userId?: string | null | undefined;
  readonly source?: string | undefined;
}

/** Adds what `filters` and `scope` ask of the table `series`, known as `r`. */
export function addUsageConditions(
  where: Conditions,
  scope: Scope,
  { meters, ...filters }: UsageFilters,
): void {
  where.add(`r.meter = ANY(${where.bind(meters)}::text[])`);
  addSeriesConditions(where, scope, filters);
}
