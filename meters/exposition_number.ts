import { isNephoError } from './errors.ts';
import { parseQuantity } from './quantity.ts';

/** A decimal as it was written, or one of the three values that are none. */
export type ExpositionValue = string;

export const NOT_A_NUMBER = 'NaN';
export const PLUS_INFINITY = '+Inf';
export const MINUS_INFINITY = '-Inf';

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,6})?$/;
const INFINITY = /^([+-]?)inf(?:inity)?$/i;
const NAN = /^nan$/i;
const MILLIS = /^[+-]?\d{1,19}$/;
const PLAIN_SECONDS = /^(\d{1,12})(?:\.(\d{1,6})\d{0,3})?$/;
const MAX_SECONDS_LENGTH = 60;

/**
 * Reads a value as Go's `ParseFloat` and OpenMetrics have it, save hexadecimal floats, which the
 * formats do not allow. No float is made: the digits are kept.
 *
 * @returns null for what is no value
 */
export function readExpositionValue(token: string): ExpositionValue | null {
  if (DECIMAL.test(token)) return token;
  if (NAN.test(token)) return NOT_A_NUMBER;
  const infinity = INFINITY.exec(token);
  if (infinity === null) return null;
  return infinity[1] === '-' ? MINUS_INFINITY : PLUS_INFINITY;
}

/** True unless the value is NaN or an infinity. */
export function isDecimalValue(value: ExpositionValue): boolean {
  return value !== NOT_A_NUMBER && value !== PLUS_INFINITY && value !== MINUS_INFINITY;
}

/** Milliseconds since 1970, of the Prometheus text format. @returns microseconds, null if unreadable */
export function readMillisTimestamp(token: string): bigint | null {
  return MILLIS.test(token) ? BigInt(token.replace(/^\+/, '')) * 1_000n : null;
}

/**
 * Seconds since 1970 with a fraction, of OpenMetrics; digits beyond microseconds are cut.
 *
 * @returns microseconds, null if unreadable
 */
export function readSecondsTimestamp(token: string): bigint | null {
  const plain = PLAIN_SECONDS.exec(token);
  if (plain !== null) {
    return BigInt(plain[1] ?? '') * 1_000_000n + BigInt((plain[2] ?? '').padEnd(6, '0'));
  }
  if (token.length > MAX_SECONDS_LENGTH || !DECIMAL.test(token)) return null;
  try {
    const { unscaled, scale } = parseQuantity(token);
    return (unscaled * 1_000_000n) / 10n ** BigInt(scale);
  } catch (error) {
    if (isNephoError(error)) return null;
    throw error;
  }
}
