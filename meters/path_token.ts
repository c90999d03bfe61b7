import { NephoError } from './errors.ts';

/**
 * A token of the path language. `name` is a field or a string, quoted or bare: the language does not
 * tell them apart. `at` counts UTF-16 units from the start of the path.
 */
export interface PathToken {
  kind: 'name' | 'where' | 'number' | 'bool' | 'function' | 'compare' | 'sort' | 'symbol' | 'end';
  text: string;
  at: number;
}

/** UTF-16 units of one path. Ceilometer has no bound; the longest known path has about 150. */
export const MAX_PATH_LENGTH = 4_096;

const SPACE = /[ \t\r\n]+/y;
const NUMBER = /-?\d+(?:\.\d+)?/y;
const NAME = /@?[a-zA-Z_][a-zA-Z0-9_@-]*/y;
const COMPARE = /==?|<=|>=|!=|<|>|~/y;
const SORT = /,?[ \t\r\n]*[/\\]/y;
const SYMBOLS = '*.[]()$,:|&?@+-';

/**
 * Splits a path as the lexer of jsonpath-rw-ext 1.2 does, with two liberties: a field may begin with
 * `true` or `false`, and line ends of either kind are space.
 *
 * @throws {NephoError} `path_invalid`, with `offset` and `remedy` in its context
 */
export function tokenizePath(text: string): PathToken[] {
  if (text.length > MAX_PATH_LENGTH) {
    throw pathFault(
      `it has ${text.length} characters`,
      0,
      `Write at most ${MAX_PATH_LENGTH} characters`,
    );
  }
  const tokens: PathToken[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const { token, end } = readToken(text, at);
    tokens.push(token);
    at = skipSpace(text, end);
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

/** The error of a path that cannot be read: what is wrong, where (UTF-16 units), what to write. */
export function pathFault(problem: string, offset: number, remedy: string): NephoError {
  return new NephoError('path_invalid', `Cannot read the path: ${problem}`, {
    context: { offset, remedy },
  });
}

function readToken(text: string, at: number): { token: PathToken; end: number } {
  const char = text.charAt(at);
  if (char === "'" || char === '"' || char === '`') return readQuoted(text, at);
  if (text.startsWith('..', at)) return made('symbol', '..', at);
  const name = matchAt(NAME, text, at);
  if (name !== null) {
    if (name === 'true' || name === 'false') return made('bool', name, at);
    return made(name === 'where' ? 'where' : 'name', name, at);
  }
  const number = matchAt(NUMBER, text, at);
  if (number !== null) return made('number', number, at);
  // Before the symbols: `,/` inside brackets is one token, and a lone `/` is also division.
  const sort = matchAt(SORT, text, at);
  if (sort !== null) return made('sort', sort, at);
  const compare = matchAt(COMPARE, text, at);
  if (compare !== null) return made('compare', compare, at);
  if (SYMBOLS.includes(char)) return made('symbol', char, at);
  throw pathFault(`'${char}' has no meaning here`, at, 'Quote a field that holds such a character');
}

/** In quotes a backslash keeps the next character as it is, and only that. */
function readQuoted(text: string, at: number): { token: PathToken; end: number } {
  const quote = text.charAt(at);
  let value = '';
  for (let i = at + 1; i < text.length; i += 1) {
    const char = text.charAt(i);
    if (char === quote) {
      return { token: { kind: quote === '`' ? 'function' : 'name', text: value, at }, end: i + 1 };
    }
    if (char === '\\') {
      i += 1;
      value += text.charAt(i);
    } else {
      value += char;
    }
  }
  throw pathFault(`the quote ${quote} is not closed`, at, `Add the closing ${quote}`);
}

function made(kind: PathToken['kind'], text: string, at: number) {
  return { token: { kind, text, at }, end: at + text.length };
}

function skipSpace(text: string, at: number): number {
  return at + (matchAt(SPACE, text, at)?.length ?? 0);
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}
