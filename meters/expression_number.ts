import { expressionFailure } from './expression_error.ts';
import type { BinaryOperator } from './expression_syntax.ts';
import { Decimal, type Value } from './expression_value.ts';
import { NephoError } from './errors.ts';
import {
  addQuantities,
  compareQuantities,
  divideQuantities,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from './quantity.ts';

export type Numeric = bigint | Decimal;

/** Digits on either side of the point while computing; a volume has fewer in the end. */
const MAX_DIGITS = 400;
const MAX_NUMBER = 10n ** BigInt(MAX_DIGITS);
const MAX_EXPONENT = 1_000n;
/** As in paths of meter definitions: a quotient that ends within 40 decimals is exact, others have 20. */
const EXACT_DECIMALS = 40;
const ROUNDED_DECIMALS = 20;
const DECIMAL_TEXT =
  /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?$/;
const BASE_PREFIX: Readonly<Record<number, string>> = { 2: 'b', 8: 'o', 16: 'x' };

/** The number that a value is; truth values are 1 and 0, as in Python. Null for the rest. */
export function numericOf(value: Value): Numeric | null {
  if (typeof value === 'bigint' || value instanceof Decimal) return value;
  return typeof value === 'boolean' ? (value ? 1n : 0n) : null;
}

export function quantityOfNumeric(value: Numeric): Quantity {
  return typeof value === 'bigint' ? { unscaled: value, scale: 0 } : value.quantity;
}

export function compareNumerics(left: Numeric, right: Numeric): number {
  return compareQuantities(quantityOfNumeric(left), quantityOfNumeric(right));
}

/**
 * Python's arithmetic, exact: a quotient of whole numbers is a decimal, and one that does not end has
 * 20 decimals, ties to even.
 */
export function arithmetic(
  operator: BinaryOperator,
  left: Numeric,
  right: Numeric,
  at: number,
): Numeric {
  if (operator === '**') return power(left, right, at);
  if (typeof left === 'bigint' && typeof right === 'bigint' && operator !== '/') {
    return bounded(wholeArithmetic(operator, left, right, at), at);
  }
  const [a, b] = [quantityOfNumeric(left), quantityOfNumeric(right)];
  return bounded(new Decimal(decimalArithmetic(operator, a, b, at)), at);
}

function wholeArithmetic(
  operator: '+' | '-' | '*' | '//' | '%',
  left: bigint,
  right: bigint,
  at: number,
): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '//':
      return floorDivide(left, right, at);
    case '%':
      return left - floorDivide(left, right, at) * right;
  }
}

function decimalArithmetic(
  operator: '+' | '-' | '*' | '/' | '//' | '%',
  left: Quantity,
  right: Quantity,
  at: number,
): Quantity {
  switch (operator) {
    case '+':
      return addQuantities(left, right);
    case '-':
      return subtractQuantities(left, right);
    case '*':
      return multiplyQuantities(left, right);
    case '/':
      return divide(left, right, at);
    case '//':
      return { unscaled: floorQuotient(left, right, at), scale: 0 };
    case '%': {
      const times = { unscaled: floorQuotient(left, right, at), scale: 0 };
      return subtractQuantities(left, multiplyQuantities(times, right));
    }
  }
}

function divide(left: Quantity, right: Quantity, at: number): Quantity {
  if (right.unscaled === 0n) throw dividedByZero(at);
  const quotient = divideQuantities(left, right, EXACT_DECIMALS);
  const exact = compareQuantities(multiplyQuantities(quotient, right), left) === 0;
  return exact ? quotient : divideQuantities(left, right, ROUNDED_DECIMALS);
}

/** The quotient rounded down, which is what Python's `//` and the sign of its `%` rest upon. */
function floorDivide(left: bigint, right: bigint, at: number): bigint {
  if (right === 0n) throw dividedByZero(at);
  const quotient = left / right;
  return left % right !== 0n && left < 0n !== right < 0n ? quotient - 1n : quotient;
}

function floorQuotient(left: Quantity, right: Quantity, at: number): bigint {
  const scale = Math.max(left.scale, right.scale);
  return floorDivide(unscaledAt(left, scale), unscaledAt(right, scale), at);
}

function unscaledAt(quantity: Quantity, scale: number): bigint {
  return quantity.unscaled * 10n ** BigInt(scale - quantity.scale);
}

function power(base: Numeric, exponent: Numeric, at: number): Numeric {
  const whole = quantityOfNumeric(exponent);
  if (whole.scale !== 0) {
    throw expressionFailure('value', 'a power needs a whole exponent', at);
  }
  const times = whole.unscaled < 0n ? -whole.unscaled : whole.unscaled;
  const { unscaled, scale } = quantityOfNumeric(base);
  const digits = BigInt((unscaled < 0n ? -unscaled : unscaled).toString().length);
  // 0 and 1 stay what they are; anything else must not be computed before it is known to fit.
  const small = unscaled >= -1n && unscaled <= 1n && scale === 0;
  if (!small && (times > MAX_EXPONENT || digits * times > BigInt(2 * MAX_DIGITS))) {
    throw tooLarge(at);
  }
  const power = small ? powerOfSmall(unscaled, times) : unscaled ** times;
  const result: Quantity = parseReduced(power, small ? 0 : scale * Number(times));
  const allWhole = typeof base === 'bigint' && typeof exponent === 'bigint';
  if (whole.unscaled >= 0n) {
    return bounded(allWhole ? result.unscaled : new Decimal(result), at);
  }
  return bounded(new Decimal(divide({ unscaled: 1n, scale: 0 }, result, at)), at);
}

function powerOfSmall(base: bigint, times: bigint): bigint {
  if (times === 0n) return 1n;
  return base === -1n && times % 2n === 0n ? 1n : base;
}

function parseReduced(unscaled: bigint, scale: number): Quantity {
  return addQuantities({ unscaled, scale }, { unscaled: 0n, scale: 0 });
}

/** Halves go to the even neighbour. @param digits behind the point; null gives a whole number */
export function round(value: Numeric, digits: bigint | null, at: number): Numeric {
  const places = digits ?? 0n;
  if (places > BigInt(MAX_DIGITS) || places < -BigInt(MAX_DIGITS)) throw tooLarge(at);
  const quantity = quantityOfNumeric(value);
  const unit: Quantity = places < 0n
    ? { unscaled: 10n ** -places, scale: 0 }
    : { unscaled: 1n, scale: Number(places) };
  const units = divideQuantities(quantity, unit, 0);
  const rounded = multiplyQuantities(units, unit);
  return typeof value === 'bigint' || digits === null ? rounded.unscaled : new Decimal(rounded);
}

/** Towards zero, as Python's `int` of a float. */
export function truncate(value: Numeric): bigint {
  const { unscaled, scale } = quantityOfNumeric(value);
  return unscaled / 10n ** BigInt(scale);
}

export function negate(value: Numeric): Numeric {
  if (typeof value === 'bigint') return -value;
  return new Decimal({ unscaled: -value.quantity.unscaled, scale: value.quantity.scale });
}

/** @param text without space around it */
export function wholeFromText(text: string, base: number, at: number): bigint {
  const letter = BASE_PREFIX[base];
  const prefix = letter === undefined ? '' : `(?:0${letter}_?)?`;
  const pattern = new RegExp(`^([+-]?)${prefix}([0-9a-z]+(?:_[0-9a-z]+)*)$`, 'i');
  const [, sign, digits = ''] = pattern.exec(text) ?? [];
  const values = Array.from(digits.replaceAll('_', ''), (digit) => Number.parseInt(digit, 36));
  if (values.length > MAX_DIGITS) throw tooLarge(at);
  if (digits === '' || values.some((value) => !(value < base))) {
    throw expressionFailure('value', 'the text is no whole number', at);
  }
  const size = values.reduce((sum, value) => sum * BigInt(base) + BigInt(value), 0n);
  return sign === '-' ? -size : size;
}

/** @param text without space around it */
export function decimalFromText(text: string, at: number): Decimal {
  if (!DECIMAL_TEXT.test(text)) throw expressionFailure('value', 'the text is no number', at);
  try {
    return new Decimal(parseQuantity(text.replaceAll('_', '')));
  } catch (error) {
    if (error instanceof NephoError) throw tooLarge(at);
    throw error;
  }
}

/** As Python writes it: a decimal shows that it is one, and a very large or small one its exponent. */
export function numericText(value: Numeric): string {
  if (typeof value === 'bigint') return value.toString();
  const { unscaled, scale } = value.quantity;
  if (unscaled === 0n) return '0.0';
  const sign = unscaled < 0n ? '-' : '';
  const all = (unscaled < 0n ? -unscaled : unscaled).toString();
  const digits = all.replace(/0+$/, '');
  const exponent = all.length - 1 - scale;
  if (exponent < -4 || exponent >= 16) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const power = Math.abs(exponent).toString().padStart(2, '0');
    return `${sign}${digits.charAt(0)}${rest}e${exponent < 0 ? '-' : '+'}${power}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

function bounded(value: Numeric, at: number): Numeric {
  const { unscaled, scale } = quantityOfNumeric(value);
  const size = unscaled < 0n ? -unscaled : unscaled;
  if (scale > MAX_DIGITS || size >= MAX_NUMBER) throw tooLarge(at);
  return value;
}

function tooLarge(at: number): NephoError {
  return expressionFailure('too_large', `a number has more than ${MAX_DIGITS} digits`, at);
}

function dividedByZero(at: number): NephoError {
  return expressionFailure('value', 'a division by zero', at);
}
