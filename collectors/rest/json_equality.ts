import { isJsonObject, type JsonValue } from '../../meters/json.ts';
import { quantityOf } from '../../meters/path_number.ts';
import { compareQuantities, formatQuantity, type Quantity } from '../../meters/quantity.ts';

/** What PyYAML takes for the keys true, false and null. */
const CONSTANTS: ReadonlyMap<string, RegExp> = new Map([
  ['true', /^(?:true|yes|on|1)$/i],
  ['false', /^(?:false|no|off|0)$/i],
  ['null', /^(?:null|~|)$/i],
]);

/** Equality as in Python: numbers by what they are, and a truth value is 1 or 0. */
export function areEqualJson(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== null && b !== null) return compareQuantities(a, b) === 0;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length &&
      left.every((item, at) => areEqualJson(item, right[at] ?? null));
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  return Object.keys(left).length === Object.keys(right).length && holds(left, right);
}

/** True if `value` has all that `part` has, in objects within as well. */
export function holds(value: JsonValue, part: JsonValue): boolean {
  if (!isJsonObject(part) || !isJsonObject(value)) return areEqualJson(value, part);
  return Object.entries(part).every(([key, wanted]) =>
    Object.hasOwn(value, key) && holds(value[key] ?? null, wanted)
  );
}

/** What a mapping has for a value; undefined if nothing. Keys are as they stand in the file. */
export function mapped(
  mapping: ReadonlyMap<string, JsonValue>,
  value: JsonValue,
): JsonValue | undefined {
  if (typeof value === 'string') return mapping.get(value);
  if (typeof value === 'boolean' || value === null) {
    const pattern = CONSTANTS.get(String(value));
    const key = [...mapping.keys()].find((each) => pattern?.test(each) === true);
    return key === undefined ? undefined : mapping.get(key);
  }
  const quantity = numberOf(value);
  return quantity === null ? undefined : mapping.get(formatQuantity(quantity));
}

/** Null for what is no number, or longer than any that can be kept. */
function numberOf(value: JsonValue): Quantity | null {
  try {
    return quantityOf(value);
  } catch {
    return null;
  }
}
