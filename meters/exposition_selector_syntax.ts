import { NephoError } from './errors.ts';

export interface WrittenMatcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
  /** Where the value stands. */
  readonly offset: number;
}

export interface WrittenSelector {
  readonly name: string | null;
  readonly matchers: readonly WrittenMatcher[];
}

interface Reader {
  readonly text: string;
  at: number;
}

/** UTF-16 units of a selector. */
const MAX_SELECTOR_LENGTH = 4_096;
const MAX_MATCHERS = 50;
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const OPERATOR = /=~|!~|!=|=/y;
const BLANKS = /[ \t\r\n]*/y;
/** Escapes of Go's strings, which PromQL has. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '"': '"',
  "'": "'",
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

/** Reads `name{label="value", …}`. @throws {NephoError} `selector_invalid` */
export function readSelectorSyntax(text: string): WrittenSelector {
  if (text.length > MAX_SELECTOR_LENGTH) {
    throw selectorFault(
      text,
      `it has ${text.length} characters`,
      0,
      `Write at most ${MAX_SELECTOR_LENGTH}`,
    );
  }
  const reader: Reader = { text, at: 0 };
  take(reader, BLANKS);
  let name: string | null = take(reader, NAME) || null;
  take(reader, BLANKS);
  const matchers: WrittenMatcher[] = [];
  if (text[reader.at] === '{') {
    reader.at += 1;
    name = readMatchers(reader, matchers, name);
    take(reader, BLANKS);
  }
  if (reader.at < text.length) {
    throw selectorFault(
      text,
      `'${text.slice(reader.at, reader.at + 20)}' is left over`,
      reader.at,
      'Write name{label="value"}: no functions and no ranges',
    );
  }
  if (name === null && matchers.length === 0) {
    throw selectorFault(text, 'it names nothing', 0, 'Name a metric');
  }
  return { name, matchers };
}

function readMatchers(
  reader: Reader,
  matchers: WrittenMatcher[],
  outerName: string | null,
): string | null {
  const { text } = reader;
  let name = outerName;
  for (;;) {
    take(reader, BLANKS);
    if (text[reader.at] === '}') break;
    const start = reader.at;
    const isQuoted = /["'`]/.test(text[start] ?? '');
    const label = isQuoted ? readString(reader) : take(reader, NAME);
    if (label === '') {
      throw selectorFault(text, 'the name of a label is missing', start, 'Write label="value"');
    }
    take(reader, BLANKS);
    const operator = take(reader, OPERATOR);
    if (operator === '' && isQuoted && name === null) {
      name = label;
    } else {
      if (matchers.length >= MAX_MATCHERS) {
        throw selectorFault(text, 'it has too many matchers', start, `Write ${MAX_MATCHERS}`);
      }
      matchers.push(readMatcher(reader, label, operator));
    }
    take(reader, BLANKS);
    if (text[reader.at] !== ',') break;
    reader.at += 1;
  }
  if (text[reader.at] !== '}') {
    throw selectorFault(text, "a '}' is missing", reader.at, 'Write name{label="value"}');
  }
  reader.at += 1;
  return name;
}

function readMatcher(reader: Reader, label: string, operator: string): WrittenMatcher {
  if (operator !== '=' && operator !== '!=' && operator !== '=~' && operator !== '!~') {
    throw selectorFault(
      reader.text,
      `the label '${label.slice(0, 40)}' has no operator`,
      reader.at,
      'Write =, !=, =~ or !~',
    );
  }
  take(reader, BLANKS);
  const offset = reader.at;
  return { label, operator, value: readString(reader), offset };
}

/** A string in double or single quotes with Go's escapes, or in backticks without any. */
function readString(reader: Reader): string {
  const { text } = reader;
  const start = reader.at;
  const quote = text[start] ?? '';
  if (quote !== '"' && quote !== "'" && quote !== '`') {
    throw selectorFault(text, 'a value has no quotes', start, 'Write label="value"');
  }
  let value = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === quote) {
      reader.at = at + 1;
      return value;
    }
    if (char !== '\\' || quote === '`') {
      value += char;
      continue;
    }
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(text.slice(at + 1, at + 6));
    const escaped = ESCAPES[text[at + 1] ?? ''];
    if (hex === null && escaped === undefined) {
      throw selectorFault(
        text,
        `'${text.slice(at, at + 2)}' has no meaning in a string`,
        at,
        'Double the backslash, or put the value in backticks',
      );
    }
    value += hex === null ? escaped : String.fromCharCode(parseInt(hex[1] ?? hex[2] ?? '', 16));
    at += hex === null ? 1 : hex[0].length;
  }
  throw selectorFault(text, 'a string is not closed', start, 'Close it');
}

/** What `pattern` matches here, passed over; `''` for nothing. */
function take(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0] ?? '';
  reader.at += found.length;
  return found;
}

export function selectorFault(
  source: string,
  problem: string,
  offset: number,
  remedy: string,
): NephoError {
  return new NephoError(
    'selector_invalid',
    `Cannot read the series selector '${source.slice(0, 80)}' at character ${
      offset + 1
    }: ${problem}. ${remedy}`,
    { context: { offset } },
  );
}
