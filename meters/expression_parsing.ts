import { assert } from './assert.ts';
import { expressionFault } from './expression_error.ts';
import type { Expression } from './expression_syntax.ts';
import { type ExpressionToken, tokenizeExpression } from './expression_token.ts';
import type { NephoError } from './errors.ts';

/** Levels of brackets and operators in one expression. */
const MAX_EXPRESSION_DEPTH = 64;

/** The rules that the parts of the parser call across files. */
interface Rules {
  conditional(parsing: Parsing): Expression;
  disjunction(parsing: Parsing): Expression;
  arithmetic(parsing: Parsing): Expression;
}

/** A parse under way. */
export interface Parsing {
  readonly tokens: readonly ExpressionToken[];
  readonly rules: Rules;
  at: number;
  depth: number;
  /** What a name may be here: those given, and those of comprehensions and lambdas around. */
  names: readonly string[];
}

export function startParsing(text: string, names: readonly string[], rules: Rules): Parsing {
  return { tokens: tokenizeExpression(text), rules, at: 0, depth: 0, names };
}

export function current(parsing: Parsing): ExpressionToken {
  return tokenAt(parsing, 0);
}

/** The token after the current one. */
export function following(parsing: Parsing): ExpressionToken {
  return tokenAt(parsing, 1);
}

function tokenAt(parsing: Parsing, ahead: number): ExpressionToken {
  const token = parsing.tokens[parsing.at + ahead] ?? parsing.tokens.at(-1);
  assert(token !== undefined, 'the tokens of an expression end with one of their own');
  return token;
}

export function take(parsing: Parsing): ExpressionToken {
  const token = current(parsing);
  parsing.at += 1;
  return token;
}

export function isSign(parsing: Parsing, text: string): boolean {
  const token = current(parsing);
  return token.kind === 'symbol' && token.text === text;
}

export function isWord(parsing: Parsing, text: string): boolean {
  const token = current(parsing);
  return token.kind === 'keyword' && token.text === text;
}

/** Takes the sign or word if it is next. */
export function accept(parsing: Parsing, text: string): boolean {
  if (!isSign(parsing, text) && !isWord(parsing, text)) return false;
  parsing.at += 1;
  return true;
}

export function expect(parsing: Parsing, text: string, remedy: string): void {
  if (!accept(parsing, text)) throw unexpected(parsing, remedy);
}

export function expectName(parsing: Parsing): ExpressionToken {
  if (current(parsing).kind !== 'name') throw unexpected(parsing, 'Write a name here');
  return take(parsing);
}

export function unexpected(
  parsing: Parsing,
  remedy = 'Write one expression, as value * 2',
): NephoError {
  const { kind, text, at } = current(parsing);
  if (text === '=' && kind === 'symbol') {
    return expressionFault("'=' assigns", at, "Compare with '=='");
  }
  const what = kind === 'end' ? 'it ends too soon' : `'${text}' is not expected here`;
  return expressionFault(what, at, remedy);
}

/** Runs a rule one level further in. */
export function descend<Result>(parsing: Parsing, rule: () => Result): Result {
  parsing.depth += 1;
  if (parsing.depth > MAX_EXPRESSION_DEPTH * 4) {
    throw expressionFault(
      'it is nested too deeply',
      current(parsing).at,
      `Nest at most ${MAX_EXPRESSION_DEPTH} levels`,
    );
  }
  const result = rule();
  parsing.depth -= 1;
  return result;
}

/** Runs a rule in which further names are known. */
export function knowing<Result>(
  parsing: Parsing,
  names: readonly string[],
  rule: () => Result,
): Result {
  const before = parsing.names;
  parsing.names = [...before, ...names];
  const result = rule();
  parsing.names = before;
  return result;
}
