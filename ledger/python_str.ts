import { NephoError } from '../meters/errors.ts';
import { ExactNumber, type JsonObject, type JsonValue } from '../meters/json.ts';
import { encodeUtf8 } from './bytes.ts';

/**
 * Values as Python 3 writes them, for signatures that are made over such text. A number is what its
 * JSON text is to Python: `1` an int, `1.0` a float. So it has to come as an {@link ExactNumber}; a
 * JavaScript number stands for the text that JSON.stringify gives it.
 */

/** Python writes a float with an exponent below the first and from the second of these powers of ten. */
const FIRST_PLAIN_POWER = -4;
const FIRST_EXPONENT_POWER = 16;
const ESCAPES: Readonly<Record<number, string>> = {
  0x09: '\\t',
  0x0a: '\\n',
  0x0d: '\\r',
  0x5c: '\\\\',
};
const FIRST_PRINTABLE = 0x20;
const DELETE = 0x7f;

/** `str()` of a scalar. */
export function pythonStr(value: null | boolean | number | string | ExactNumber): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null) return 'None';
  return pythonNumber(value instanceof ExactNumber ? value.text : JSON.stringify(value));
}

/**
 * `str()` of a list in which every text was encoded to bytes and every dict sorted by its keys:
 * `[b'd', 1, None, {b'y': 1.5}]`.
 *
 * @throws {NephoError} `text_invalid` for half a surrogate pair, which Python cannot encode either
 */
export function pythonBytesRepr(value: JsonValue): string {
  if (typeof value === 'string') return bytesLiteral(value);
  if (Array.isArray(value)) return `[${value.map(pythonBytesRepr).join(', ')}]`;
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) {
    return pythonStr(value);
  }
  const members = sortedEntries(value).map(([key, member]) =>
    `${bytesLiteral(key)}: ${pythonBytesRepr(member)}`
  );
  return `{${members.join(', ')}}`;
}

/** The members of an object as Python sorts them: by code points, not by UTF-16 units. */
export function sortedEntries(object: JsonObject): [string, JsonValue][] {
  return Object.entries(object).sort(([a], [b]) => compareCodePoints(a, b));
}

/** @throws {NephoError} `text_invalid` */
export function strictUtf8(text: string): Uint8Array {
  if (text.isWellFormed()) return encodeUtf8(text);
  throw new NephoError(
    'text_invalid',
    `Cannot encode ${JSON.stringify(text.slice(0, 80))} as UTF-8: it has half a surrogate pair`,
  );
}

/**
 * UTF-16 units are in the order of code points, but for surrogates: these stand for characters above
 * all others and are below U+E000 as units.
 */
function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (a === b) continue;
    const [aboveA, aboveB] = [isSurrogate(a), isSurrogate(b)];
    return aboveA === aboveB ? a - b : aboveA ? 1 : -1;
  }
  return left.length - right.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** A JSON number as Python reads it and writes it again. */
function pythonNumber(token: string): string {
  const isInteger = !/[.eE]/.test(token);
  if (isInteger) return token === '-0' ? '0' : token;
  const value = Number(token);
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return floatRepr(value);
}

/** Python's repr and ECMAScript choose the same shortest digits, and other places for the exponent. */
function floatRepr(value: number): string {
  const [digits = '', power = '0'] = Math.abs(value).toExponential().split('e');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const exponent = Number(power);
  if (exponent < FIRST_PLAIN_POWER || exponent >= FIRST_EXPONENT_POWER) {
    const written = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${digits}e${exponent < 0 ? '-' : '+'}${written}`;
  }
  const bare = digits.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${bare}`;
  const whole = bare.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${bare.slice(exponent + 1) || '0'}`;
}

/** `repr()` of the UTF-8 bytes of a text. */
function bytesLiteral(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let literal = `b${quote}`;
  for (const byte of strictUtf8(text)) {
    const character = String.fromCharCode(byte);
    if (character === quote) literal += `\\${quote}`;
    else if (ESCAPES[byte] !== undefined) literal += ESCAPES[byte];
    else if (byte >= FIRST_PRINTABLE && byte < DELETE) literal += character;
    else literal += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return literal + quote;
}
