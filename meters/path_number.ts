import { ExactNumber, type JsonValue } from './json.ts';
import {
  addQuantities,
  divideQuantities,
  formatQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from './quantity.ts';
import type { Operator } from './path_syntax.ts';

/** Decimals within which a quotient may end exactly; 2^40, a TiB, needs forty. */
const EXACT_DECIMALS = 40;
/** Decimals of a quotient that does not end. */
const ROUNDED_DECIMALS = 20;

/**
 * The exact value of a JSON number, or of a boolean (1 and 0, as in Python); null for anything else.
 *
 * @throws {NephoError} `quantity_too_long`
 */
export function quantityOf(value: JsonValue): Quantity | null {
  if (typeof value === 'number') return parseQuantity(String(value));
  if (typeof value === 'boolean') return { unscaled: value ? 1n : 0n, scale: 0 };
  return value instanceof ExactNumber ? parseQuantity(value.text) : null;
}

/** A JSON number of exactly this value: a double where its shortest text says it, else the text. */
export function jsonNumber(quantity: Quantity): number | ExactNumber {
  const text = formatQuantity(quantity);
  const number = Number(text);
  if (String(number) === text) return number;
  return new ExactNumber(text);
}

/**
 * Arithmetic without rounding, but for quotients that do not end: those have 20 decimals, ties to even.
 *
 * @throws {NephoError} `division_by_zero`, `quantity_too_long`
 */
export function calculate(operator: Operator, left: JsonValue, right: JsonValue): JsonValue | null {
  if (typeof left === 'number' && typeof right === 'number' && operator !== '/') {
    const result = operator === '+' ? left + right : operator === '-' ? left - right : left * right;
    const whole = Number.isInteger(left) && Number.isInteger(right) && Number.isSafeInteger(result);
    if (whole) return result === 0 ? 0 : result;
  }
  const [a, b] = [quantityOf(left), quantityOf(right)];
  if (a === null || b === null) return null;
  switch (operator) {
    case '+':
      return jsonNumber(addQuantities(a, b));
    case '-':
      return jsonNumber(subtractQuantities(a, b));
    case '*':
      return jsonNumber(multiplyQuantities(a, b));
    case '/': {
      const quotient = divideQuantities(a, b, EXACT_DECIMALS);
      const product = multiplyQuantities(quotient, b);
      const exact = product.unscaled === a.unscaled && product.scale === a.scale;
      return jsonNumber(exact ? quotient : divideQuantities(a, b, ROUNDED_DECIMALS));
    }
  }
}
