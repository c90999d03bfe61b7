import { unreachable } from './assert.ts';
import { divideQuantities, type Quantity } from './quantity.ts';
import type { MeterType } from './sample.ts';
import type { WindowFigures } from './window_figures.ts';

/** What a span came to, as it is billed. */
export interface UsageQuantity {
  /** In the unit of {@link usageUnit}. */
  readonly quantity: Quantity;
  /** Of a gauge the exact value in unit seconds, of which `quantity` is rounded; null of the others. */
  readonly unitSeconds: Quantity | null;
}

/** Decimals of a quantity in unit hours. A microsecond of one unit is 278 of the last. */
export const USAGE_SCALE = 12;

const SECONDS_PER_HOUR: Quantity = { unscaled: 3_600n, scale: 0 };

/**
 * What is billed of a span: the sum of a delta, the increase of a cumulative meter, and of a gauge its value
 * times the hours that it held, to {@link USAGE_SCALE} decimals with ties to even. Round once, at the end:
 * merge figures first, and keep the unit seconds beside the hours.
 */
export function usageQuantity(
  type: MeterType,
  figures: Pick<WindowFigures, 'sum' | 'increase' | 'integral'>,
): UsageQuantity {
  switch (type) {
    case 'delta':
      return { quantity: figures.sum, unitSeconds: null };
    case 'cumulative':
      return { quantity: figures.increase, unitSeconds: null };
    case 'gauge':
      return { quantity: unitHours(figures.integral), unitSeconds: figures.integral };
    default:
      return unreachable(type);
  }
}

/** Unit seconds in unit hours. */
export function unitHours(unitSeconds: Quantity): Quantity {
  return divideQuantities(unitSeconds, SECONDS_PER_HOUR, USAGE_SCALE);
}

/** The unit of what is billed: `GiB·h` of a gauge in GiB, else the unit of the meter. */
export function usageUnit(type: MeterType, unit: string): string {
  return type === 'gauge' ? `${unit}·h` : unit;
}
