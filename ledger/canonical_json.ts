import { NephoError } from '../meters/errors.ts';
import { ExactNumber, type JsonObject, type JsonValue } from '../meters/json.ts';
import { MAX_JSON_DEPTH } from '../meters/limits.ts';

/** Text that stands in JSON as it is: printable ASCII without `"` and `\`. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** With the `u` flag a pair is one character, so only halves without their other half match. */
const LONE_SURROGATE = /\p{Surrogate}/u;
/** Levels beyond those that a notification may have: an entry wraps one. */
const MAX_DEPTH = MAX_JSON_DEPTH + 8;
/** Up to so many keys, sorting by insertion is twice as fast as sort(). Metadata has some twenty. */
const FEW_KEYS = 32;

/**
 * The canonical form of a JSON value by RFC 8785: keys in the order of their UTF-16 units, numbers as
 * ECMAScript writes them, no white space. An {@link ExactNumber} has no such form, since no double
 * holds it: it becomes a string of its digits as they stood in the source.
 *
 * @throws {NephoError} `text_invalid` for a lone surrogate, a number that is not finite, or a value
 * that JSON does not have; `too_deep` beyond the levels that a notification may have
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, 0);
}

/** A string in canonical JSON, quotes included. @throws {NephoError} `text_invalid` */
export function canonicalString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (LONE_SURROGATE.test(text)) {
    throw new NephoError(
      'text_invalid',
      `Cannot write ${
        JSON.stringify(text.slice(0, 80))
      } as canonical JSON: it has half a surrogate pair`,
    );
  }
  // For other text RFC 8785 section 3.2.2.2 asks for just the escapes of ECMAScript.
  return JSON.stringify(text);
}

function write(value: JsonValue, depth: number): string {
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number') return writeNumber(value);
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value !== 'object') throw notJson(typeof value);
  if (value instanceof ExactNumber) return canonicalString(value.text);
  if (depth >= MAX_DEPTH) {
    throw new NephoError('too_deep', `Cannot write JSON of more than ${MAX_DEPTH} levels`);
  }
  return Array.isArray(value) ? writeList(value, depth + 1) : writeObject(value, depth + 1);
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw notJson(String(value));
  return value === 0 ? '0' : String(value); // -0 too
}

function writeList(list: readonly JsonValue[], depth: number): string {
  let text = '[';
  // By index, since a hole must be refused and not skipped.
  for (let i = 0; i < list.length; i += 1) {
    const item = list[i];
    if (item === undefined) throw notJson('undefined');
    text += i === 0 ? write(item, depth) : `,${write(item, depth)}`;
  }
  return `${text}]`;
}

function writeObject(object: JsonObject, depth: number): string {
  // Object.keys gives own keys alone, `__proto__` among them when JSON.parse made it.
  const keys = sortKeys(Object.keys(object));
  let text = '{';
  for (const key of keys) {
    const value = object[key];
    if (value === undefined) throw notJson('undefined');
    const member = `${canonicalString(key)}:${write(value, depth)}`;
    text += text.length === 1 ? member : `,${member}`;
  }
  return `${text}}`;
}

/** In the order of their UTF-16 units, as the RFC asks and as `<` and sort() compare texts. */
function sortKeys(keys: string[]): string[] {
  if (keys.length > FEW_KEYS) return keys.sort();
  for (let i = 1; i < keys.length; i += 1) {
    const key = keys[i] ?? '';
    let place = i;
    for (; place > 0 && (keys[place - 1] ?? '') > key; place -= 1) {
      keys[place] = keys[place - 1] ?? '';
    }
    keys[place] = key;
  }
  return keys;
}

function notJson(what: string): NephoError {
  return new NephoError(
    'text_invalid',
    `Cannot write ${what} as canonical JSON: JSON has no such value`,
  );
}
