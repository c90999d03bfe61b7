import { NephoError } from './errors.ts';
import { MAX_QUANTITY_DIGITS } from './limits.ts';

/**
 * An exact decimal: `unscaled * 10 ** -scale`, always with the smallest scale >= 0.
 * A cloud's `cpu` counter in ns passes 2^53 within months, hence no JavaScript number.
 */
export interface Quantity {
  readonly unscaled: bigint;
  readonly scale: number;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;
const CANONICAL = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/;

/**
 * Reads a decimal as JSON, Python or an operator writes it: `12`, `-0.50`, `1e3`, `.5`.
 *
 * @throws {NephoError} `quantity_invalid` for other text, NaN and infinities, `quantity_too_long`
 * for more than {@link MAX_QUANTITY_DIGITS} digits on either side of the point.
 */
export function parseQuantity(text: string): Quantity {
  const match = DECIMAL.exec(text);
  const whole = match?.[2] ?? '';
  const fraction = match?.[3] ?? '';
  if (match === null || whole.length + fraction.length === 0) {
    throw new NephoError('quantity_invalid', `Cannot read a decimal from '${text.slice(0, 80)}'`);
  }
  const scale = fraction.length - Number(match[4] ?? 0);
  const digits = (whole + fraction).replace(/^0+/, '');
  const wholeDigits = digits.length - scale;
  if (digits !== '' && (wholeDigits > MAX_QUANTITY_DIGITS || scale > MAX_QUANTITY_DIGITS)) {
    throw new NephoError(
      'quantity_too_long',
      `Cannot keep a decimal of more than ${MAX_QUANTITY_DIGITS} digits on a side of its point: '${
        text.slice(0, 40)
      }…'`,
    );
  }
  const unscaled = BigInt(digits === '' ? '0' : digits);
  return reduce(match[1] === '-' ? -unscaled : unscaled, scale);
}

/** The canonical text: no exponent, no `+`, no leading or trailing zeros, never `-0`. */
export function formatQuantity(quantity: Quantity): string {
  const { unscaled, scale } = quantity;
  if (scale === 0) return unscaled.toString();
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** True if `text` is what {@link formatQuantity} would write. */
export function isCanonicalQuantity(text: string): boolean {
  return CANONICAL.test(text) && text !== '-0';
}

export function addQuantities(left: Quantity, right: Quantity): Quantity {
  const scale = Math.max(left.scale, right.scale);
  return reduce(atScale(left, scale) + atScale(right, scale), scale);
}

export function subtractQuantities(left: Quantity, right: Quantity): Quantity {
  return addQuantities(left, { unscaled: -right.unscaled, scale: right.scale });
}

export function multiplyQuantities(left: Quantity, right: Quantity): Quantity {
  return reduce(left.unscaled * right.unscaled, left.scale + right.scale);
}

/** Negative, zero or positive as `left` is less than, equal to or greater than `right`. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  const scale = Math.max(left.scale, right.scale);
  const difference = atScale(left, scale) - atScale(right, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The quotient to `scale` decimals, ties to even. @throws {NephoError} `division_by_zero` */
export function divideQuantities(left: Quantity, right: Quantity, scale: number): Quantity {
  if (right.unscaled === 0n) {
    throw new NephoError('division_by_zero', `Cannot divide ${formatQuantity(left)} by zero`);
  }
  const shift = scale + right.scale - left.scale;
  const numerator = shift >= 0 ? left.unscaled * 10n ** BigInt(shift) : left.unscaled;
  const denominator = shift >= 0 ? right.unscaled : right.unscaled * 10n ** BigInt(-shift);
  return reduce(divideHalfEven(numerator, denominator), scale);
}

function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const negative = numerator < 0n !== denominator < 0n;
  const n = numerator < 0n ? -numerator : numerator;
  const d = denominator < 0n ? -denominator : denominator;
  let quotient = n / d;
  const twice = (n % d) * 2n;
  if (twice > d || (twice === d && quotient % 2n === 1n)) quotient += 1n;
  return negative ? -quotient : quotient;
}

function atScale(quantity: Quantity, scale: number): bigint {
  return quantity.unscaled * 10n ** BigInt(scale - quantity.scale);
}

function reduce(unscaled: bigint, scale: number): Quantity {
  if (unscaled === 0n) return { unscaled: 0n, scale: 0 };
  if (scale < 0) return { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 };
  let value = unscaled;
  let places = scale;
  while (places > 0 && value % 10n === 0n) {
    value /= 10n;
    places -= 1;
  }
  return { unscaled: value, scale: places };
}
