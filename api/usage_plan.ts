import { USAGE_GROUPS, type UsageFilters, type UsageGroup } from '../db/usage_series.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { calendarSpans, type CalendarUnit, isKnownZone } from '../meters/zone.ts';
import { apiError } from './errors.ts';
import type { UsageInput } from './usage_schema.ts';

/** Spans that one question may part its range into. */
export const MAX_USAGE_SPANS = 10_000;
/** Years that one question may reach over. */
const MAX_YEARS = 100;
const METADATA = 'metadata.';

const YEAR_MICROS = 366n * 24n * HOUR_MICROS;
/** How short a span can be at least, but for those that a clock that is set cuts. */
const SHORTEST: Readonly<Record<CalendarUnit, bigint>> = {
  hour: HOUR_MICROS,
  day: 23n * HOUR_MICROS,
  week: 7n * 24n * HOUR_MICROS - HOUR_MICROS,
  month: 28n * 24n * HOUR_MICROS - HOUR_MICROS,
};

/** What is asked for, in the words of db/usage.ts. */
export interface UsagePlan {
  readonly filters: UsageFilters;
  readonly groupBy: readonly UsageGroup[];
  /** Paths of metadata. */
  readonly labels: readonly string[];
  /** The names of `groupBy` and of `labels` as the caller gave them. */
  readonly groupNames: readonly string[];
  /** Where the spans begin, and last where the last one ends. */
  readonly bounds: readonly bigint[];
}

/**
 * Reads a question about usage.
 *
 * @throws {NephoError} `range_invalid`, `range_too_large`, `zone_unknown`, `group_unknown`, `input_invalid`
 */
export function planUsage(input: UsageInput): UsagePlan {
  const { groupBy, labels } = groupsOf(input.group_by);
  return {
    filters: filtersOf(input),
    groupBy,
    labels,
    groupNames: [...groupBy, ...labels.map((path) => `${METADATA}${path}`)],
    bounds: boundsOf(input),
  };
}

function filtersOf(input: UsageInput): UsageFilters {
  const meters = [...input.meters ?? [], ...input.meter === undefined ? [] : [input.meter]];
  if (meters.length === 0) {
    throw apiError('input_invalid', "Cannot give usage of no meter: name it by 'meter'");
  }
  return {
    meters: [...new Set(meters)],
    resourceId: input.resource_id,
    projectId: input.project_id,
    userId: input.user_id,
    source: input.source,
  };
}

function groupsOf(names: readonly string[]): { groupBy: UsageGroup[]; labels: string[] } {
  const isColumn = (name: string): name is UsageGroup =>
    USAGE_GROUPS.some((column) => column === name);
  const labels = [...new Set(names)].filter((name) => !isColumn(name)).map((name) => {
    if (name.startsWith(METADATA) && name.length > METADATA.length) {
      return name.slice(METADATA.length);
    }
    throw apiError(
      'group_unknown',
      `Cannot group by '${name.slice(0, 80)}': it is none of ${USAGE_GROUPS.join(', ')} and no ` +
        "path as 'metadata.flavor.name'",
    );
  });
  return { groupBy: USAGE_GROUPS.filter((column) => names.includes(column)), labels };
}

function boundsOf({ from, to, every, zone }: UsageInput): bigint[] {
  if (from >= to) {
    throw apiError(
      'range_invalid',
      `Cannot give usage from ${from} to ${to}: nothing lies between`,
    );
  }
  if (!isKnownZone(zone)) {
    throw apiError('zone_unknown', `Cannot use the time zone '${zone}': it is not known here`);
  }
  const [start, end] = [toMicros(from), toMicros(to)];
  if (end - start > BigInt(MAX_YEARS) * YEAR_MICROS) throw tooLarge(from, to, `${MAX_YEARS} years`);
  if (every === null) return [start, end];
  const most = BigInt(MAX_USAGE_SPANS);
  if ((end - start) / SHORTEST[every] >= most) {
    throw tooLarge(from, to, `${MAX_USAGE_SPANS} spans of a ${every}`);
  }
  const spans = calendarSpans({ from: start, to: end, every, zone });
  return [...spans.map((span) => span.start), end];
}

function tooLarge(from: string, to: string, what: string): Error {
  return apiError('range_too_large', `Cannot give usage from ${from} to ${to}: it is over ${what}`);
}

/** `[start, end)` of a bucket, as canonical timestamps. */
export function spanOf(bounds: readonly bigint[], bucket: number): { start: string; end: string } {
  const start = bounds[bucket] ?? 0n;
  return { start: formatMicros(start), end: formatMicros(bounds[bucket + 1] ?? start) };
}
