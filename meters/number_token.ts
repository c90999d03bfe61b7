import { ExactNumber } from './json.ts';

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** A longer token than any that a double writes; spares the comparison of hostile megabytes. */
const LONGEST_TOKEN_OF_A_DOUBLE = 400;

/**
 * A JSON number token as a `number` where that says the same decimal, else as an {@link ExactNumber}
 * with the token's text. "The same" means that the shortest text of the double, which is what every
 * JSON writer prints for it, has the value of the token: `0.1` and `1e3` are, 2^53 + 1 is not.
 */
export function numberFromToken(token: string): number | ExactNumber {
  return isHeldByDouble(token) ? Number(token) : new ExactNumber(token);
}

export function isHeldByDouble(token: string): boolean {
  if (token.length > LONGEST_TOKEN_OF_A_DOUBLE) return false;
  const value = Number(token);
  const text = String(value);
  if (text === token) return true;
  return Number.isFinite(value) && decimalOf(text) === decimalOf(token);
}

/** `digits e exponent` without leading and trailing zeros and without sign, the same for equal decimals. */
function decimalOf(token: string): string {
  const match = PARTS.exec(token);
  if (match === null) return token;
  const [, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end -= 1;
  if (end === 0) return '0';
  return `${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}
