import type { z } from 'zod';
import type { UsageKind } from '../db/usage_kinds.ts';
import { keyOf, type UsageSums } from '../db/usage_sums.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../meters/quantity.ts';
import {
  meanOfSamples,
  percentilesOf,
  ratePerSecond,
  timeWeightedMean,
} from '../meters/sample_statistics.ts';
import { usageQuantity, usageUnit } from '../meters/usage_quantity.ts';
import { EMPTY_FIGURES } from '../meters/window_figures.ts';
import { spanOf, type UsagePlan } from './usage_plan.ts';
import type { USAGE_FLAGS, usageRowOutput } from './usage_schema.ts';

export type WireUsageRow = z.output<typeof usageRowOutput>;
type Flag = (typeof USAGE_FLAGS)[number];

export interface RowOptions {
  readonly plan: UsagePlan;
  /** Every hour before this is sealed. */
  readonly sealedUntil: bigint | null;
  /** Keys of the sums that late samples are to change. */
  readonly late: ReadonlySet<string>;
  /** Meters that the answer has rows of several units, or of several types, of. */
  readonly conflicts: UsageConflicts;
  readonly percentiles?: RowPercentiles | undefined;
}

/** The volumes of the samples of each row, by its key, and which percentiles of them are asked for. */
export interface RowPercentiles {
  readonly volumes: ReadonlyMap<string, readonly Quantity[]>;
  readonly percents: readonly number[];
}

export interface UsageConflicts {
  readonly units: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
}

/** The meters whose rows could not be added up, because clouds or agents disagree. */
export function conflictsOfKinds(kinds: readonly UsageKind[]): UsageConflicts {
  return {
    units: severalOf(kinds, ({ unit }) => unit),
    types: severalOf(kinds, ({ type }) => type),
  };
}

function severalOf(kinds: readonly UsageKind[], valueOf: (one: UsageKind) => string): Set<string> {
  const first = new Map<string, string>();
  const several = new Set<string>();
  for (const one of kinds) {
    const value = valueOf(one);
    const known = first.get(one.meter);
    if (known === undefined) first.set(one.meter, value);
    else if (known !== value) several.add(one.meter);
  }
  return several;
}

/**
 * Adds a row of nothing for each bucket in which a group that has any row has none. Not in order.
 *
 * @returns null if there were more than `limit` rows
 */
export function fillWithZeros(
  sums: readonly UsageSums[],
  { buckets, limit }: { buckets: number; limit: number },
): UsageSums[] | null {
  const known = new Set(sums.map(keyOf));
  const groups = new Map(sums.map((one) => [keyOf({ ...one, bucket: 0 }), one]));
  if (groups.size * buckets > limit) return null;
  const filled = [...sums];
  for (const one of groups.values()) {
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      if (!known.has(keyOf({ ...one, bucket }))) {
        filled.push({ ...one, bucket, figures: EMPTY_FIGURES });
      }
    }
  }
  return filled;
}

/** A row as callers get it. */
export function wireUsageRow(sums: UsageSums, options: RowOptions): WireUsageRow {
  const { plan: { bounds, groupNames }, sealedUntil } = options;
  const { figures, type, unit, meter, bucket } = sums;
  const { quantity, unitSeconds } = usageQuantity(type, figures);
  const end = bounds[bucket + 1] ?? 0n;
  const isLate = options.late.has(keyOf(sums));
  const length = end - (bounds[bucket] ?? end);
  return {
    group: Object.fromEntries(groupNames.map((name, index) => [name, sums.group[index] ?? null])),
    meter,
    type,
    unit,
    ...spanOf(bounds, bucket),
    quantity: formatQuantity(quantity),
    usage_unit: usageUnit(type, unit),
    unit_seconds: textOf(unitSeconds),
    count: figures.count,
    sum: formatQuantity(figures.sum),
    min: textOf(figures.min),
    max: textOf(figures.max),
    avg: textOf(meanOfSamples(figures)),
    time_weighted_mean: type === 'gauge' ? textOf(timeWeightedMean(figures)) : null,
    covered: formatQuantity(parseQuantity(`${figures.coveredMicros}e-6`)),
    rate: type === 'gauge' ? null : textOf(ratePerSecond(quantity, length)),
    ...percentilesIn(sums, options.percentiles),
    flags: flagsOf(sums, options.conflicts, isLate),
    sealed: sealedUntil !== null && end <= sealedUntil && !isLate,
  };
}

function percentilesIn(
  sums: UsageSums,
  wanted: RowPercentiles | undefined,
): Pick<WireUsageRow, 'percentiles'> {
  if (wanted === undefined) return {};
  const values = wanted.volumes.get(keyOf(sums)) ?? [];
  const found = percentilesOf(
    values,
    wanted.percents.map((percent) => parseQuantity(`${percent}`)),
  );
  const percentiles: Record<string, string> = {};
  wanted.percents.forEach((percent, index) => {
    const value = found[index] ?? null;
    if (value !== null) percentiles[String(percent)] = formatQuantity(value);
  });
  return { percentiles };
}

function flagsOf(
  { meter, figures }: UsageSums,
  { units, types }: UsageConflicts,
  isLate: boolean,
): Flag[] {
  const flags: [Flag, boolean][] = [
    ['unit_conflict', units.has(meter)],
    ['type_conflict', types.has(meter)],
    ['counter_reset', figures.resets > 0],
    ['counter_stepped_back', figures.stepsBack > 0],
    ['late_samples', isLate],
    ['expired', figures.expired],
  ];
  return flags.filter(([, isSo]) => isSo).map(([flag]) => flag);
}

function textOf(quantity: Quantity | null): string | null {
  return quantity === null ? null : formatQuantity(quantity);
}
