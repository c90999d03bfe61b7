import { expressionFault } from './expression_error.ts';

/** A token of the expression language; `at` counts UTF-16 units from the start of the expression. */
export interface ExpressionToken {
  kind: 'name' | 'keyword' | 'whole' | 'decimal' | 'text' | 'symbol' | 'end';
  /** What the token says: of a text its value, of a number its digits without underscores. */
  text: string;
  at: number;
}

/** UTF-16 units of one expression. Python's `eval` has no bound; the longest that is known has 140. */
export const MAX_EXPRESSION_LENGTH = 4_096;

const SPACE = /[ \t\r\n\f]+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const DECIMAL =
  /(?:\d(?:_?\d)*)?\.\d(?:_?\d)*(?:[eE][+-]?\d+)?|\d(?:_?\d)*\.?[eE][+-]?\d+|\d(?:_?\d)*\./y;
const WHOLE =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const SYMBOL = /\*\*|\/\/|==|!=|<=|>=|[-+*/%<>()[\]{},:.=]/y;
const KEYWORDS: ReadonlySet<string> = new Set(
  'and or not in is if else for lambda True False None'.split(' '),
);
const PREFIX = /^(?:[rRbBuUfF]{1,2})$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\n': '',
};
const CODED = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})/y;
const MAX_CODE_POINT = 0x10ffff;

/** What operators know from Python and this language has not, by the sign that begins it. */
const REFUSED_SIGNS: Readonly<Record<string, string>> = {
  '|': 'Bits cannot be combined; end the operation here and begin the next after the pipe',
  '&': "Write 'and'",
  '^': "Write '**' for a power",
  '~': "Write 'not'",
  '@': 'Remove it',
  '!': "Write 'not', or '!=' to compare",
  ';': 'Write one expression',
  '`': 'Quote a text by \' or "',
  '#': 'Remove the comment',
  '\\': 'Remove it; an expression may go over several lines as it is',
};

/**
 * Splits an expression as Python's lexer does. Line ends are space everywhere.
 *
 * @throws {NephoError} `expression_invalid`, with `offset` and `remedy` in its context
 */
export function tokenizeExpression(text: string): ExpressionToken[] {
  if (text.length > MAX_EXPRESSION_LENGTH) {
    throw expressionFault(
      `it has ${text.length} characters`,
      0,
      `Write at most ${MAX_EXPRESSION_LENGTH} characters`,
    );
  }
  const tokens: ExpressionToken[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const { token, end } = readToken(text, at);
    tokens.push(token);
    at = skipSpace(text, end);
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

function readToken(text: string, at: number): { token: ExpressionToken; end: number } {
  const char = text.charAt(at);
  if (char === "'" || char === '"') return readText(text, at, at, false);
  const name = matchAt(NAME, text, at);
  if (name !== null) {
    const end = at + name.length;
    const next = text.charAt(end);
    if (PREFIX.test(name) && (next === "'" || next === '"')) {
      return readText(text, at, end, /^(?:[rR]|[uU])$/.test(name) ? /r/i.test(name) : null);
    }
    return { token: { kind: KEYWORDS.has(name) ? 'keyword' : 'name', text: name, at }, end };
  }
  return readNumber(text, at) ?? readSymbol(text, at);
}

function readNumber(text: string, at: number): { token: ExpressionToken; end: number } | null {
  const decimal = matchAt(DECIMAL, text, at);
  const whole = decimal === null ? matchAt(WHOLE, text, at) : null;
  const found = decimal ?? whole;
  if (found === null && !/[0-9]/.test(text.charAt(at))) return null;
  const end = at + (found?.length ?? 0);
  if (found === null || /[A-Za-z0-9_]/.test(text.charAt(end))) {
    throw expressionFault(
      `'${text.slice(at, end + 1)}' begins no number`,
      at,
      'Write a decimal without leading zeros or letters',
    );
  }
  const kind = decimal === null ? 'whole' : 'decimal';
  return { token: { kind, text: found.replaceAll('_', ''), at }, end };
}

function readSymbol(text: string, at: number): { token: ExpressionToken; end: number } {
  const symbol = matchAt(SYMBOL, text, at);
  if (symbol !== null) {
    const end = at + symbol.length;
    if (text.charAt(end) === '=' && /^(?:\*\*|\/\/|[-+*/%:])$/.test(symbol)) {
      throw expressionFault(`'${symbol}=' assigns`, at, 'Write an expression without assignment');
    }
    return { token: { kind: 'symbol', text: symbol, at }, end };
  }
  const char = text.charAt(at);
  const remedy = Object.hasOwn(REFUSED_SIGNS, char) ? REFUSED_SIGNS[char] : undefined;
  throw expressionFault(`'${char}' has no meaning here`, at, remedy ?? 'Remove it or quote it');
}

/** @param raw whether a backslash is itself; null for a kind of text that is refused */
function readText(text: string, at: number, quoteAt: number, raw: boolean | null) {
  const quote = text.charAt(quoteAt);
  if (raw === null) {
    const f = /f/i.test(text.slice(at, quoteAt));
    throw expressionFault(
      f ? 'it has an f-string' : 'it has a text with a prefix',
      at,
      f ? "Join with '+' and str(…), or write '{}'.format(…)" : 'Remove the prefix',
    );
  }
  if (text.startsWith(quote.repeat(3), quoteAt)) {
    throw expressionFault('it has a text in three quotes', at, 'Use one quote on either side');
  }
  let value = '';
  let next = quoteAt + 1;
  for (;;) {
    const char = text.charAt(next);
    if (char === '' || char === '\n') {
      throw expressionFault('a text has no end', at, `Close it by ${quote}`);
    }
    next += 1;
    if (char === quote) break;
    if (char !== '\\') value += char;
    else if (raw) {
      value += char + text.charAt(next);
      next += 1;
    } else {
      const escape = readEscape(text, next);
      value += escape.value;
      next = escape.end;
    }
  }
  const token: ExpressionToken = { kind: 'text', text: value, at };
  return { token, end: next };
}

/** What stands after a backslash. An unknown escape is itself, with its backslash, as in Python. */
function readEscape(text: string, at: number): { value: string; end: number } {
  const char = text.charAt(at);
  if (Object.hasOwn(ESCAPES, char)) return { value: ESCAPES[char] ?? '', end: at + 1 };
  CODED.lastIndex = at;
  const coded = CODED.exec(text);
  if (coded === null) {
    if (/[xuUN]/.test(char)) {
      throw expressionFault(`'\\${char}' is not complete`, at - 1, 'Write the character itself');
    }
    return { value: `\\${char}`, end: at + 1 };
  }
  const [all, two, four, eight, octal] = coded;
  const code = octal === undefined
    ? Number.parseInt(two ?? four ?? eight ?? '', 16)
    : Number.parseInt(octal, 8);
  if (code > MAX_CODE_POINT) {
    throw expressionFault('an escape names no character', at - 1, 'Write the character itself');
  }
  return { value: String.fromCodePoint(code), end: at + all.length };
}

function skipSpace(text: string, at: number): number {
  return at + (matchAt(SPACE, text, at)?.length ?? 0);
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}
