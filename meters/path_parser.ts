import type { JsonValue } from './json.ts';
import { jsonNumber } from './path_number.ts';
import { compileRegex } from './path_regex.ts';
import { parseFunction } from './path_function.ts';
import type { Comparison, Operator, Path, PathTest, SortKey } from './path_syntax.ts';
import { pathFault, type PathToken, tokenizePath } from './path_token.ts';
import { parseQuantity } from './quantity.ts';

/** Levels of parentheses and operators in one path. */
const MAX_PATH_DEPTH = 100;
/**
 * How tightly each sign binds, as the tables of the ancestor's LALR parser have it: `|` binds tighter
 * than `.`, brackets apply to all that stands before them, and arithmetic is below everything, without
 * an order among its four signs and grouped from the right: `a * 2 + 3` is `a * (2 + 3)`.
 */
const BINDING: Readonly<Record<string, number>> = { '..': 2, '.': 3, '|': 4, '&': 5, where: 6 };
const BRACKET_BINDING = 1;

interface Parser {
  readonly tokens: readonly PathToken[];
  at: number;
  depth: number;
  /** Inside the brackets of a sort, where `/` starts a key and cannot divide. */
  sorting: boolean;
}

/**
 * Parses the dialect of jsonpath-rw 1.4 with jsonpath-rw-ext 1.2.
 *
 * Liberties: `/` divides, `` `lower` `` exists, a number may stand alone, and a filter may follow a dot.
 *
 * @throws {NephoError} `path_invalid`, with `offset` (UTF-16 units) and `remedy` in its context
 */
export function parsePath(text: string): Path {
  const parser: Parser = { tokens: tokenizePath(text), at: 0, depth: 0, sorting: false };
  const path = parseArithmetic(parser);
  const rest = current(parser);
  if (rest.kind !== 'end') throw unexpected(rest);
  return path.kind === 'literal' && typeof path.value === 'string'
    ? { kind: 'fields', names: [path.value] }
    : path;
}

function parseArithmetic(parser: Parser): Path {
  enter(parser);
  const token = current(parser);
  const left = token.kind === 'number' ? number(parser) : parseBinary(parser, 0);
  const operator = operatorOf(parser);
  parser.depth -= operator === null ? 1 : 0;
  if (operator === null) return left;
  parser.at += 1;
  const right = parseArithmetic(parser);
  parser.depth -= 1;
  return { kind: 'operation', operator, left: operand(left), right: operand(right) };
}

function enter(parser: Parser): void {
  parser.depth += 1;
  if (parser.depth > MAX_PATH_DEPTH) {
    const { at } = current(parser);
    throw pathFault('it is nested too deeply', at, `Nest at most ${MAX_PATH_DEPTH} levels`);
  }
}

/** Beside an operator a lone field is a text: that is how texts are written in this language. */
function operand(path: Path): Path {
  const [name, ...more] = path.kind === 'fields' ? path.names : [];
  return name === undefined || more.length > 0 ? path : { kind: 'literal', value: name };
}

function operatorOf(parser: Parser): Operator | null {
  const { kind, text } = current(parser);
  if (kind === 'sort') return text === '/' && !parser.sorting ? '/' : null;
  return kind === 'symbol' && (text === '+' || text === '-' || text === '*') ? text : null;
}

function parseBinary(parser: Parser, binding: number): Path {
  let left = parseOperand(parser);
  for (;;) {
    const token = current(parser);
    if (token.kind === 'symbol' && token.text === '[' && binding <= BRACKET_BINDING) {
      left = { kind: 'child', left, right: parseBrackets(parser) };
      continue;
    }
    const strength = token.kind === 'symbol' || token.kind === 'where' ? bindingOf(token.text) : -1;
    if (strength <= binding) return left;
    parser.at += 1;
    if (token.text === '&') {
      throw pathFault(
        "'&' between paths has no meaning",
        token.at,
        "Give each condition a comparison, as in [?a = 'x' & b = 'y']",
      );
    }
    left = join(token.text, left, parseBinary(parser, strength));
  }
}

function bindingOf(sign: string): number {
  return Object.hasOwn(BINDING, sign) ? BINDING[sign] ?? -1 : -1;
}

function join(sign: string, left: Path, right: Path): Path {
  if (sign === '.') return { kind: 'child', left, right };
  if (sign === '..') return { kind: 'descendants', left, right };
  return { kind: sign === '|' ? 'union' : 'where', left, right };
}

function parseOperand(parser: Parser): Path {
  const token = current(parser);
  if (token.kind === 'name') return { kind: 'fields', names: parseNames(parser) };
  parser.at += 1;
  if (token.kind === 'function') return parseFunction(token);
  if (token.kind === 'symbol') {
    switch (token.text) {
      case '$':
        return { kind: 'root' };
      case '@':
        return { kind: 'this' };
      case '*':
        return { kind: 'fields', names: ['*'] };
      case '[':
        parser.at -= 1;
        return parseBrackets(parser);
      case '(': {
        const { sorting } = parser;
        parser.sorting = false;
        const inner = parseArithmetic(parser);
        expect(parser, ')');
        parser.sorting = sorting;
        return inner;
      }
      default:
    }
  }
  throw unexpected(token);
}

function parseNames(parser: Parser): string[] {
  const names = [expectName(parser)];
  while (isSymbol(parser, ',')) {
    parser.at += 1;
    names.push(expectName(parser));
  }
  return names;
}

function parseBrackets(parser: Parser): Path {
  expect(parser, '[');
  const path = parseBracketed(parser);
  expect(parser, ']');
  return path;
}

function parseBracketed(parser: Parser): Path {
  const token = current(parser);
  if (token.kind === 'name') return { kind: 'fields', names: parseNames(parser) };
  if (token.kind === 'sort') return { kind: 'sort', keys: parseSortKeys(parser) };
  if (isSymbol(parser, '?')) {
    parser.at += 1;
    return { kind: 'filter', tests: parseTests(parser) };
  }
  if (isSymbol(parser, '*')) {
    parser.at += 1;
    return { kind: 'slice', start: null, end: null };
  }
  const start = maybeInteger(parser);
  if (start === null && !isSymbol(parser, ':')) {
    throw unexpected(token, 'Write an index, a slice, *, a field or a filter, as in [?name = "x"]');
  }
  if (start !== null && !isSymbol(parser, ':')) return { kind: 'index', index: start };
  expect(parser, ':');
  return { kind: 'slice', start, end: maybeInteger(parser) };
}

function parseSortKeys(parser: Parser): SortKey[] {
  const keys: SortKey[] = [];
  parser.sorting = true;
  for (let token = current(parser); token.kind === 'sort'; token = current(parser)) {
    parser.at += 1;
    keys.push({ path: parseArithmetic(parser), descending: token.text.endsWith('\\') });
  }
  parser.sorting = false;
  return keys;
}

function parseTests(parser: Parser): PathTest[] {
  const tests = opensConditions(parser) ? parseTestGroup(parser) : [parseTest(parser)];
  if (!isSymbol(parser, '&')) return tests;
  parser.at += 1;
  return [...tests, ...parseTests(parser)];
}

function parseTestGroup(parser: Parser): PathTest[] {
  enter(parser);
  expect(parser, '(');
  const tests = parseTests(parser);
  expect(parser, ')');
  parser.depth -= 1;
  return tests;
}

/** `(` opens conditions or a path: only conditions hold a comparison outside of brackets. */
function opensConditions(parser: Parser): boolean {
  if (!isSymbol(parser, '(')) return false;
  let parentheses = 0;
  let brackets = 0;
  for (const token of parser.tokens.slice(parser.at)) {
    if (token.kind === 'compare' && brackets === 0) return true;
    if (token.kind !== 'symbol') continue;
    parentheses += token.text === '(' ? 1 : token.text === ')' ? -1 : 0;
    brackets += token.text === '[' ? 1 : token.text === ']' ? -1 : 0;
    if (parentheses === 0) return false;
  }
  return false;
}

function parseTest(parser: Parser): PathTest {
  const path = parseArithmetic(parser);
  const token = current(parser);
  if (token.kind !== 'compare') return { path, comparison: null };
  parser.at += 1;
  return { path, comparison: parseComparison(parser, token.text === '==' ? '=' : token.text) };
}

function parseComparison(parser: Parser, operator: string): Comparison {
  const token = current(parser);
  if (operator === '~') {
    if (token.kind !== 'name') throw unexpected(token, "Write a quoted pattern after '~'");
    parser.at += 1;
    return { operator, regex: compileRegex(token.text) };
  }
  const sign = operator as '=' | '!=' | '<' | '<=' | '>' | '>=';
  const { value, cast } = parseConstant(parser);
  return { operator: sign, value, cast };
}

/** Whole numbers and booleans make the other side a whole number first, as the ancestor does. */
function parseConstant(parser: Parser): { value: JsonValue; cast: boolean } {
  const token = current(parser);
  if (token.kind === 'number') {
    const literal = number(parser);
    return {
      value: literal.kind === 'literal' ? literal.value : null,
      cast: !token.text.includes('.'),
    };
  }
  parser.at += 1;
  if (token.kind === 'bool') return { value: token.text === 'true', cast: true };
  if (token.kind === 'name') return { value: token.text, cast: false };
  throw unexpected(token, 'Compare with a quoted text, a number, true or false');
}

function number(parser: Parser): Path {
  const token = current(parser);
  parser.at += 1;
  return { kind: 'literal', value: jsonNumber(parseQuantity(token.text)) };
}

function maybeInteger(parser: Parser): number | null {
  const token = current(parser);
  if (token.kind !== 'number' || !/^-?\d{1,9}$/.test(token.text)) return null;
  parser.at += 1;
  return Number(token.text);
}

function expectName(parser: Parser): string {
  const token = current(parser);
  if (token.kind !== 'name') throw unexpected(token);
  parser.at += 1;
  return token.text;
}

function expect(parser: Parser, symbol: string): void {
  if (!isSymbol(parser, symbol)) throw unexpected(current(parser), `Write '${symbol}' here`);
  parser.at += 1;
}

function isSymbol(parser: Parser, symbol: string): boolean {
  const token = current(parser);
  return token.kind === 'symbol' && token.text === symbol;
}

function current(parser: Parser): PathToken {
  return parser.tokens[Math.min(parser.at, parser.tokens.length - 1)] as PathToken;
}

function unexpected(token: PathToken, remedy?: string): Error {
  if (token.kind === 'end') {
    return pathFault('it ends too early', token.at, remedy ?? 'Complete it, as in $.payload.size');
  }
  return pathFault(`'${token.text}' is not expected here`, token.at, remedy ?? remedyFor(token));
}

function remedyFor(token: PathToken): string {
  if (token.kind === 'number' && token.text.startsWith('-')) return "Put a space after the '-'";
  if (token.kind === 'number') return 'Write an index as [0]';
  return 'Write a path such as $.payload.size, and quote fields with other characters than letters';
}
