import type { z } from 'zod';
import { keyOf, type UsageSums } from '../db/usage_sums.ts';
import { divideQuantities, formatQuantity, type Quantity } from '../meters/quantity.ts';
import { USAGE_SCALE, usageQuantity, usageUnit } from '../meters/usage_quantity.ts';
import { EMPTY_FIGURES } from '../meters/window_figures.ts';
import { spanOf, type UsagePlan } from './usage_plan.ts';
import type { USAGE_FLAGS, usageRowOutput } from './usage_schema.ts';

export type WireUsageRow = z.output<typeof usageRowOutput>;
type Flag = (typeof USAGE_FLAGS)[number];

export interface RowOptions {
  readonly plan: UsagePlan;
  /** Every hour before this is sealed. */
  readonly sealedUntil: bigint | null;
  /** Meters that the answer has rows of several units, or of several types, of. */
  readonly conflicts: UsageConflicts;
}

export interface UsageConflicts {
  readonly units: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
}

/** The meters whose rows could not be added up, because clouds or agents disagree. */
export function conflictsOf(sums: readonly UsageSums[]): UsageConflicts {
  return {
    units: severalOf(sums, ({ unit }) => unit),
    types: severalOf(sums, ({ type }) => type),
  };
}

function severalOf(sums: readonly UsageSums[], valueOf: (one: UsageSums) => string): Set<string> {
  const first = new Map<string, string>();
  const several = new Set<string>();
  for (const one of sums) {
    const value = valueOf(one);
    const known = first.get(one.meter);
    if (known === undefined) first.set(one.meter, value);
    else if (known !== value) several.add(one.meter);
  }
  return several;
}

/** Adds a row of nothing for each bucket in which a group that has any row has none. Not in order. */
export function fillWithZeros(sums: readonly UsageSums[], buckets: number): UsageSums[] {
  const known = new Set(sums.map(keyOf));
  const groups = new Map(sums.map((one) => [keyOf({ ...one, bucket: 0 }), one]));
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
  const covered = { unscaled: figures.coveredMicros, scale: 6 };
  const end = bounds[bucket + 1] ?? 0n;
  const length = { unscaled: end - (bounds[bucket] ?? end), scale: 6 };
  return {
    group: Object.fromEntries(groupNames.map((name, index) => [name, sums.group[index] ?? null])),
    meter,
    type,
    unit,
    ...spanOf(bounds, bucket),
    quantity: formatQuantity(quantity),
    usage_unit: usageUnit(type, unit),
    unit_seconds: unitSeconds === null ? null : formatQuantity(unitSeconds),
    count: figures.count,
    sum: formatQuantity(figures.sum),
    min: figures.min === null ? null : formatQuantity(figures.min),
    max: figures.max === null ? null : formatQuantity(figures.max),
    avg: quotient(figures.sum, { unscaled: BigInt(figures.count), scale: 0 }),
    time_weighted_mean: type === 'gauge' ? quotient(figures.integral, covered) : null,
    covered: formatQuantity(reduced(covered)),
    rate: type === 'gauge' ? null : quotient(quantity, length),
    flags: flagsOf(sums, options.conflicts),
    sealed: sealedUntil !== null && end <= sealedUntil,
  };
}

function flagsOf({ meter, figures }: UsageSums, { units, types }: UsageConflicts): Flag[] {
  const flags: [Flag, boolean][] = [
    ['unit_conflict', units.has(meter)],
    ['type_conflict', types.has(meter)],
    ['counter_reset', figures.resets > 0],
    ['counter_stepped_back', figures.stepsBack > 0],
    ['expired', figures.expired],
  ];
  return flags.filter(([, isSo]) => isSo).map(([flag]) => flag);
}

/** To {@link USAGE_SCALE} decimals, ties to even; null by nothing. */
function quotient(dividend: Quantity, divisor: Quantity): string | null {
  if (divisor.unscaled === 0n) return null;
  return formatQuantity(divideQuantities(dividend, divisor, USAGE_SCALE));
}

function reduced(quantity: Quantity): Quantity {
  return divideQuantities(quantity, { unscaled: 1n, scale: 0 }, quantity.scale);
}
