import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import {
  formatQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from '../../meters/quantity.ts';
import type { ItemMeter } from './item_pollster.ts';
import { readNumber } from './json_number.ts';

const HUNDREDTH: Quantity = { unscaled: 1n, scale: 2 };

/**
 * The capacity of a pool as its driver reports it, in GiB. A driver that reports none of a kind, as
 * Ceph's of the provisioned, gives no reading of it; `unknown` and `infinite` are no numbers.
 */
export const POOL_METERS: readonly ItemMeter[] = [
  capacity('total', (pool) => pool['total_capacity_gb'], { optional: true }),
  capacity('free', (pool) => pool['free_capacity_gb'], { optional: true }),
  capacity('allocated', (pool) => pool['allocated_capacity_gb'], {}),
  capacity('provisioned', (pool) => pool['provisioned_capacity_gb'], { optional: true }),
  capacity('virtual_free', virtualFree, { optional: true, signed: true }),
];

/** A pool is named `<host>@<backend>#<pool>`; before the `#` stands its provider. */
export function poolMetadata(item: JsonObject): JsonObject {
  const name = item['name'];
  return {
    pool_name: capabilities(item)['pool_name'] ?? null,
    provider: typeof name === 'string' ? name.split('#', 1)[0] ?? null : null,
  };
}

/**
 * What thin provisioning may still promise:
 * `ratio × (total − ⌊reserved % × total⌋) − provisioned`, the ratio 1 without thin provisioning.
 * Less than zero if more was promised than the ratio allows.
 *
 * @returns the exact number, the value that is no number, or undefined for what is not reported
 */
function virtualFree(pool: JsonObject): JsonValue | undefined {
  const provisioned = pool['provisioned_capacity_gb'];
  if (provisioned === undefined || provisioned === null) return undefined;
  const ratio = isThin(pool) ? pool['max_over_subscription_ratio'] ?? 1 : 1;
  const reserved = pool['reserved_percentage'] ?? 0;
  const inputs = [provisioned, pool['total_capacity_gb'], reserved, ratio];
  const [used, total, percent, times] = inputs.map(quantity);
  if (!used || !total || !percent || !times) {
    const fault = inputs.find((value) => quantity(value) === null) ?? null;
    // As a list it is no number to whoever reads it, also if it is one below zero.
    return fault === null ? null : [fault];
  }
  const kept = wholePart(multiplyQuantities(multiplyQuantities(percent, HUNDREDTH), total));
  const free = multiplyQuantities(times, subtractQuantities(total, kept));
  return new ExactNumber(formatQuantity(subtractQuantities(free, used)));
}

/** The whole number not above a quantity that is not negative. */
function wholePart(value: Quantity): Quantity {
  return { unscaled: value.unscaled / 10n ** BigInt(value.scale), scale: 0 };
}

function quantity(value: JsonValue | undefined): Quantity | null {
  const number = readNumber(value);
  if (number === null || number.volume.startsWith('-')) return null;
  return parseQuantity(number.volume);
}

function isThin(pool: JsonObject): boolean {
  const thin = pool['thin_provisioning_support'];
  return thin === true || (typeof thin === 'string' && thin.toLowerCase() === 'true');
}

function capabilities(item: JsonObject): JsonObject {
  const found = item['capabilities'];
  return isJsonObject(found) ? found : {};
}

function capacity(
  kind: string,
  value: (pool: JsonObject) => JsonValue | undefined,
  rules: Pick<ItemMeter, 'optional' | 'signed'>,
): ItemMeter {
  return {
    name: `volume.provider.pool.capacity.${kind}`,
    type: 'gauge',
    unit: 'GiB',
    value: (item) => value(capabilities(item)),
    ...rules,
  };
}
