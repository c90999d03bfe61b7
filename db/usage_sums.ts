import { addQuantities } from '../meters/quantity.ts';
import type { MeterType } from '../meters/sample.ts';
import { greater, lesser, type WindowFigures } from '../meters/window_figures.ts';

/** The figures of windows that add up over several series too. */
export type AdditiveFigures = Pick<
  WindowFigures,
  | 'count'
  | 'sum'
  | 'min'
  | 'max'
  | 'increase'
  | 'resets'
  | 'stepsBack'
  | 'integral'
  | 'coveredMicros'
  | 'expired'
>;

/** Whose figures: the values of what was grouped by, and what is never added up. */
export interface UsageKey {
  readonly group: readonly (string | null)[];
  readonly meter: string;
  readonly type: MeterType;
  readonly unit: string;
  /** Index of the bucket, from 0. */
  readonly bucket: number;
}

/** What the samples and windows of a group come to within one bucket. */
export interface UsageSums extends UsageKey {
  readonly figures: AdditiveFigures;
}

/** Adds up what is of the same group and bucket, in the order of buckets and groups. */
export function mergeSums(parts: readonly UsageSums[]): UsageSums[] {
  const byKey = new Map<string, UsageSums>();
  for (const part of parts) {
    const key = keyOf(part);
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? part : { ...part, figures: add(known, part) });
  }
  return [...byKey.values()].filter(isSomething).sort(compareKeys);
}

/** The order of rows: by bucket, then by meter, type, unit and group; what has no value comes last. */
export function compareKeys(left: UsageKey, right: UsageKey): number {
  const byBucket = left.bucket - right.bucket;
  if (byBucket !== 0) return byBucket;
  const [a, b] = [labelsOf(left), labelsOf(right)];
  for (const [index, label] of a.entries()) {
    const other = b[index] ?? null;
    if (label === other) continue;
    if (label === null) return 1;
    if (other === null) return -1;
    return label < other ? -1 : 1;
  }
  return 0;
}

export function keyOf(key: UsageKey): string {
  return JSON.stringify([key.bucket, ...labelsOf(key)]);
}

function labelsOf({ meter, type, unit, group }: UsageKey): (string | null)[] {
  return [meter, type, unit, ...group];
}

function add({ figures: a }: UsageSums, { figures: b }: UsageSums): AdditiveFigures {
  return {
    count: a.count + b.count,
    sum: addQuantities(a.sum, b.sum),
    min: lesser(a.min, b.min),
    max: greater(a.max, b.max),
    increase: addQuantities(a.increase, b.increase),
    resets: a.resets + b.resets,
    stepsBack: a.stepsBack + b.stepsBack,
    integral: addQuantities(a.integral, b.integral),
    coveredMicros: a.coveredMicros + b.coveredMicros,
    expired: a.expired || b.expired,
  };
}

/** A revision may have left nothing of a window. */
function isSomething({ figures }: UsageSums): boolean {
  return figures.count > 0 || figures.coveredMicros > 0n;
}
