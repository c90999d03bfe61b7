import { ExactNumber, type JsonValue } from './json.ts';
import { calculate, quantityOf } from './path_number.ts';
import type { Comparison } from './path_syntax.ts';
import { compareQuantities, formatQuantity, parseQuantity } from './quantity.ts';

const PYTHON_INTEGER = /^\s*[+-]?\d+(?:_\d+)*\s*$/;

/**
 * One comparison of a filter, as jsonpath-rw-ext makes it: null never fits; a whole number or a boolean
 * on the right turns the left side into a whole number first (`1.9 = 1`, `'7' = 7`), or does not fit.
 * Where Python would raise a TypeError and lose the notification, the comparison does not hold.
 */
export function holdsFor(value: JsonValue, comparison: Comparison): boolean {
  if (value === null) return false;
  if (comparison.operator === '~') {
    return typeof value === 'string' && comparison.regex.matchesStart(value);
  }
  const left = comparison.cast ? wholeNumber(value) : value;
  if (left === null) return false;
  const { operator } = comparison;
  if (operator === '=') return equal(left, comparison.value);
  if (operator === '!=') return !equal(left, comparison.value);
  const order = compareValues(left, comparison.value);
  if (order === null) return false;
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

/** Python's `==` for scalars: numbers and booleans by value, all else by kind and text. */
export function equal(left: JsonValue, right: JsonValue): boolean {
  if (typeof left === 'string' || typeof right === 'string') return left === right;
  if (left === right) return true;
  return compareValues(left, right) === 0;
}

/** The order of two numbers or two texts (by code points), null for anything else. */
export function compareValues(left: JsonValue, right: JsonValue): number | null {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  const [a, b] = [quantityOf(left), quantityOf(right)];
  return a === null || b === null ? null : compareQuantities(a, b);
}

/** False for what Python calls false: null, false, 0, an empty text, list or object. */
export function isTruthy(value: JsonValue): boolean {
  if (value === null || value === false || value === 0 || value === '') return false;
  if (value instanceof ExactNumber) return quantityOf(value)?.unscaled !== 0n;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function wholeNumber(value: JsonValue): JsonValue | null {
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  const text = typeof value === 'string' ? value : value instanceof ExactNumber ? value.text : '';
  if (value instanceof ExactNumber) {
    return new ExactNumber(formatQuantity(parseQuantity(text)).replace(/\..*$/, ''));
  }
  if (!PYTHON_INTEGER.test(text)) return null;
  return new ExactNumber(text.trim().replaceAll('_', ''));
}

function compareText(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const difference = (a[i]?.codePointAt(0) ?? 0) - (b[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** `a + b` and so on, for numbers, texts and lists; null where Python would raise a TypeError. */
export function operate(
  operator: '+' | '-' | '*' | '/',
  left: JsonValue,
  right: JsonValue,
): JsonValue | null {
  if (typeof left === 'string' && typeof right === 'string') {
    return operator === '+' ? left + right : null;
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    return operator === '+' ? [...left, ...right] : null;
  }
  if (operator === '*' && isSequence(left)) return repeat(left, right);
  if (operator === '*' && isSequence(right)) return repeat(right, left);
  return calculate(operator, left, right);
}

/** UTF-16 units or elements that a repeated text or list may have: the count comes from outside. */
const MAX_REPEATED_LENGTH = 65_536;

function isSequence(value: JsonValue): value is string | JsonValue[] {
  return typeof value === 'string' || Array.isArray(value);
}

function repeat(sequence: string | JsonValue[], count: JsonValue): JsonValue | null {
  const times = typeof count === 'boolean' ? Number(count) : count;
  if (typeof times !== 'number' || !Number.isInteger(times)) return null;
  if (sequence.length * times > MAX_REPEATED_LENGTH) return null;
  if (typeof sequence === 'string') return sequence.repeat(Math.max(times, 0));
  return Array.from({ length: Math.max(times, 0) }, () => sequence).flat();
}
