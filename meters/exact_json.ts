import { assert } from './assert.ts';
import { NephoError } from './errors.ts';
import { ExactNumber, type JsonValue } from './json.ts';
import { MAX_JSON_DEPTH } from './limits.ts';
import { isHeldByDouble } from './number_token.ts';
import { parseStrictJson, tooDeep } from './strict_json_parser.ts';

/** A decimal of fewer digits is held by every double that is near enough to one. */
const DIGITS_IN_DOUBT = 16;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Number tokens of sixteen digits or more, or with an exponent. A token follows the start of the text,
 * `[`, `,` or `:`; so may the inside of a string, which costs a needless look and no wrong answer.
 */
const DOUBTFUL_NUMBER =
  /(?:^|[[,:])[ \t\n\r]*(-?\d[\d.]{15,}(?:[eE][+-]?\d+)?|-?\d[\d.]*[eE][+-]?\d+)/g;

/**
 * Reads JSON without losing a digit: numbers that a double does not hold come as `ExactNumber`.
 * A text without them, which nearly all are, is read by the engine's own parser.
 *
 * @throws {NephoError} `not_json` for what `JSON.parse` rejects, `too_deep` for more than
 * {@link MAX_JSON_DEPTH} levels; the context has `place`, `line`, `column` and `offset`
 */
export function parseExactJson(text: string): JsonValue {
  const doubtful = scan(text);
  if (doubtful && hasInexactNumber(text)) return parseStrictJson(text, MAX_JSON_DEPTH);
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch (cause) {
    // The engines' messages differ and often lack the place, so the strict parser finds it.
    parseStrictJson(text, MAX_JSON_DEPTH);
    throw new NephoError('not_json', 'Cannot read JSON', { cause, context: { place: '' } });
  }
}

/**
 * Reads JSON with every number as an `ExactNumber`, for what tells 1.0 from 1. Several times slower.
 *
 * @throws {NephoError} as {@link parseExactJson}
 */
export function parseNumbersAsText(text: string): JsonValue {
  scan(text);
  return parseStrictJson(text, MAX_JSON_DEPTH, (token) => new ExactNumber(token));
}

/**
 * Looks over the text once, stepping over strings, before anything is built: the engine's parser takes
 * seconds over millions of levels, and what walks a value later must be able to recurse.
 *
 * @returns whether a number may need more than a double. The text need not be JSON.
 */
function scan(text: string): boolean {
  let depth = 0;
  let digits = 0;
  let doubtful = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit <= NINE && (unit >= ZERO || unit === POINT)) {
      digits += 1;
      continue;
    }
    if (digits >= DIGITS_IN_DOUBT || (digits > 0 && (unit | 0x20) === LOWER_E)) doubtful = true;
    digits = 0;
    if (unit === QUOTE) at = endOfString(text, at);
    else if (unit === OPEN_OBJECT || unit === OPEN_LIST) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) throw tooDeep(text, at, MAX_JSON_DEPTH);
    } else if (unit === CLOSE_OBJECT || unit === CLOSE_LIST) depth -= 1;
  }
  return doubtful || digits >= DIGITS_IN_DOUBT;
}

/** The place of the quote that ends the string begun at `start`; the end of the text without one. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (quote !== -1) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function hasInexactNumber(text: string): boolean {
  DOUBTFUL_NUMBER.lastIndex = 0;
  for (;;) {
    const match = DOUBTFUL_NUMBER.exec(text);
    if (match === null) return false;
    const token = match[1];
    assert(token !== undefined, 'a doubtful number has a token');
    if (!isHeldByDouble(token)) return true;
  }
}
