import { NephoError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { numberFromToken } from './number_token.ts';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WHITESPACE = /[ \t\n\r]*/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const FOUR_HEX = /^[0-9a-fA-F]{4}$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * The slow way to read JSON (RFC 8259), for texts with numbers that a double does not hold, and for
 * telling where a text that `JSON.parse` rejects is wrong. Its recursion is bounded by `maxDepth`.
 *
 * @throws {NephoError} `not_json`, `too_deep`; the context has `place`, `line`, `column` (from 1) and
 * `offset` (UTF-16 units from 0)
 */
export function parseStrictJson(
  text: string,
  maxDepth: number,
  readNumber: (token: string) => JsonValue = numberFromToken,
): JsonValue {
  const parser = new StrictJsonParser(text, maxDepth, readNumber);
  return parser.document();
}

class StrictJsonParser {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #readNumber: (token: string) => JsonValue;
  #at = 0;

  constructor(text: string, maxDepth: number, readNumber: (token: string) => JsonValue) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#readNumber = readNumber;
  }

  document(): JsonValue {
    const value = this.#value(0);
    if (this.#at < this.#text.length) throw this.#wrong('expected the end of the text');
    return value;
  }

  /** A value with the whitespace around it. */
  #value(depth: number): JsonValue {
    this.#skipWhitespace();
    const value = this.#bareValue(depth);
    this.#skipWhitespace();
    return value;
  }

  #bareValue(depth: number): JsonValue {
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#list(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    this.#checkDepth(depth);
    const object: JsonObject = {};
    this.#at += 1;
    this.#skipWhitespace();
    if (this.#take('}')) return object;
    do {
      this.#skipWhitespace();
      if (this.#text[this.#at] !== '"') throw this.#wrong('expected a key in double quotes');
      const key = this.#string();
      this.#skipWhitespace();
      if (!this.#take(':')) throw this.#wrong("expected ':' after a key");
      setOwn(object, key, this.#value(depth));
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#wrong("expected ',' or '}'");
    return object;
  }

  #list(depth: number): JsonValue[] {
    this.#checkDepth(depth);
    const list: JsonValue[] = [];
    this.#at += 1;
    this.#skipWhitespace();
    if (this.#take(']')) return list;
    do list.push(this.#value(depth)); while (this.#take(','));
    if (!this.#take(']')) throw this.#wrong("expected ',' or ']'");
    return list;
  }

  #string(): string {
    this.#at += 1;
    let value = this.#plain();
    while (!this.#take('"')) {
      if (!this.#take('\\')) {
        throw this.#wrong(
          this.#at >= this.#text.length
            ? 'the text ends in a string'
            : 'a control character in a string',
        );
      }
      value += this.#escape();
      value += this.#plain();
    }
    return value;
  }

  /** The part of a string up to its end, an escape or what must not stand in it. */
  #plain(): string {
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit === QUOTE || unit === BACKSLASH || unit < SPACE) break;
    }
    return this.#text.slice(start, this.#at);
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 1, this.#at + 5);
      if (!FOUR_HEX.test(digits)) throw this.#wrong("expected four hexadecimal digits after '\\u'");
      this.#at += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const value = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (value === undefined) throw this.#wrong('an unknown escape in a string');
    this.#at += 1;
    return value;
  }

  #number(): JsonValue {
    const token = this.#match(NUMBER);
    if (token === '') {
      throw this.#wrong(
        this.#at >= this.#text.length ? 'the text ends too soon' : 'expected a value',
      );
    }
    return this.#readNumber(token);
  }

  #word(word: string, value: JsonValue): JsonValue {
    if (!this.#text.startsWith(word, this.#at)) throw this.#wrong('expected a value');
    this.#at += word.length;
    return value;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipWhitespace(): void {
    // Most tokens have none around them or one space, for which a regular expression is too dear.
    if (this.#text.charCodeAt(this.#at) <= SPACE) this.#match(WHITESPACE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #checkDepth(depth: number): void {
    if (depth <= this.#maxDepth) return;
    throw tooDeep(this.#text, this.#at, this.#maxDepth);
  }

  #wrong(what: string): NephoError {
    const context = placeOf(this.#text, this.#at);
    return new NephoError('not_json', `Cannot read JSON at ${context.place}: ${what}`, { context });
  }
}

/** The error for a text that nests deeper than `maxDepth` at `offset`. */
export function tooDeep(text: string, offset: number, maxDepth: number): NephoError {
  const context = placeOf(text, offset);
  return new NephoError(
    'too_deep',
    `Cannot read JSON at ${context.place}: it nests more than ${maxDepth} levels`,
    { context },
  );
}

/** Like JSON.parse: `__proto__` becomes a key of the object itself, and of equal keys the last wins. */
function setOwn(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value;
  else {
    Object.defineProperty(object, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

interface JsonPlace {
  [key: string]: string | number;
  place: string;
  line: number;
  column: number;
  offset: number;
}

function placeOf(text: string, offset: number): JsonPlace {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  const column = offset - lineStart + 1;
  return { place: `line ${line} column ${column}`, line, column, offset };
}
