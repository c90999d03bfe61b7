import { parseAtom } from './expression_atom.ts';
import { expressionFault } from './expression_error.ts';
import { checkedCall, methodArity, parseArguments } from './expression_call.ts';
import {
  accept,
  current,
  descend,
  expect,
  expectName,
  isSign,
  isWord,
  type Parsing,
  startParsing,
  take,
  unexpected,
} from './expression_parsing.ts';
import type {
  BinaryOperator,
  ComparedWith,
  CompareOperator,
  Expression,
} from './expression_syntax.ts';

/** How tightly the signs of arithmetic bind; a power is treated apart. */
const BINDING: Readonly<Record<string, number>> = {
  '+': 1,
  '-': 1,
  '*': 2,
  '/': 2,
  '//': 2,
  '%': 2,
};
const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);

/**
 * Parses an expression in which `names` stand for values.
 *
 * @throws {NephoError} `expression_invalid`, with `offset` (UTF-16 units) and `remedy` in its context
 */
export function parseExpression(text: string, names: readonly string[]): Expression {
  const parsing = startParsing(text, names, { conditional, disjunction, arithmetic });
  if (current(parsing).kind === 'end') {
    throw expressionFault('it is empty', 0, "Write an expression, as 'value'");
  }
  const expression = conditional(parsing);
  if (current(parsing).kind !== 'end') throw unexpected(parsing);
  return expression;
}

/** `a if c else b`, or what binds tighter. */
function conditional(parsing: Parsing): Expression {
  return descend(parsing, () => {
    const whenTrue = disjunction(parsing);
    const { at } = current(parsing);
    if (!accept(parsing, 'if')) return whenTrue;
    const condition = disjunction(parsing);
    if (!accept(parsing, 'else')) {
      throw expressionFault("an 'if' has no 'else'", at, "Write 'a if condition else b'");
    }
    return { kind: 'conditional', condition, whenTrue, whenFalse: conditional(parsing), at };
  });
}

function disjunction(parsing: Parsing): Expression {
  let left = conjunction(parsing);
  for (;;) {
    const { at } = current(parsing);
    if (!accept(parsing, 'or')) return left;
    left = { kind: 'or', left, right: conjunction(parsing), at };
  }
}

function conjunction(parsing: Parsing): Expression {
  let left = negation(parsing);
  for (;;) {
    const { at } = current(parsing);
    if (!accept(parsing, 'and')) return left;
    left = { kind: 'and', left, right: negation(parsing), at };
  }
}

function negation(parsing: Parsing): Expression {
  const { at } = current(parsing);
  if (!accept(parsing, 'not')) return comparison(parsing);
  const operand = descend(parsing, () => negation(parsing));
  return { kind: 'unary', operator: 'not', operand, at };
}

function comparison(parsing: Parsing): Expression {
  const first = arithmetic(parsing);
  const { at } = current(parsing);
  const rest: ComparedWith[] = [];
  for (;;) {
    const place = current(parsing).at;
    const operator = comparisonSign(parsing);
    if (operator === null) break;
    rest.push({ operator, value: comparedWith(parsing, operator), at: place });
  }
  return rest.length === 0 ? first : { kind: 'compare', first, rest, at };
}

function comparisonSign(parsing: Parsing): CompareOperator | null {
  const token = current(parsing);
  if (token.kind === 'symbol' && COMPARISONS.has(token.text)) {
    return take(parsing).text as CompareOperator;
  }
  if (accept(parsing, 'in')) return 'in';
  if (accept(parsing, 'is')) return accept(parsing, 'not') ? 'is not' : 'is';
  if (!isWord(parsing, 'not')) return null;
  take(parsing);
  if (accept(parsing, 'in')) return 'not in';
  throw unexpected(parsing);
}

function comparedWith(parsing: Parsing, operator: CompareOperator): Expression {
  const { at } = current(parsing);
  const setFollows = (operator === 'in' || operator === 'not in') && isSign(parsing, '{');
  const value = setFollows ? parseAtom(parsing, { sets: true }) : arithmetic(parsing);
  if (operator !== 'is' && operator !== 'is not') return value;
  const constant = value.kind === 'literal' && (value.value === null || value.value === true ||
    value.value === false);
  if (constant) return value;
  throw expressionFault(
    "'is' compares with None, True and False only",
    at,
    operator === 'is' ? "Write '=='" : "Write '!='",
  );
}

function arithmetic(parsing: Parsing, binding = 0): Expression {
  return descend(parsing, () => {
    let left = signed(parsing);
    for (;;) {
      const token = current(parsing);
      const strength = token.kind === 'symbol' && Object.hasOwn(BINDING, token.text)
        ? BINDING[token.text] ?? 0
        : 0;
      if (strength <= binding) return left;
      take(parsing);
      const right = arithmetic(parsing, strength);
      left = { kind: 'binary', operator: token.text as BinaryOperator, left, right, at: token.at };
    }
  });
}

/** A power binds tighter than the sign before it, and less than the sign after it. */
function signed(parsing: Parsing): Expression {
  const token = current(parsing);
  if (token.kind === 'symbol' && (token.text === '-' || token.text === '+')) {
    take(parsing);
    const operand = descend(parsing, () => signed(parsing));
    return { kind: 'unary', operator: token.text, operand, at: token.at };
  }
  const base = postfix(parsing);
  const { at } = current(parsing);
  if (!isSign(parsing, '**')) return base;
  take(parsing);
  const right = descend(parsing, () => signed(parsing));
  return { kind: 'binary', operator: '**', left: base, right, at };
}

function postfix(parsing: Parsing): Expression {
  let of = parseAtom(parsing, { sets: false });
  for (;;) {
    const token = current(parsing);
    if (isSign(parsing, '.')) of = method(parsing, of);
    else if (isSign(parsing, '[')) of = brackets(parsing, of);
    else if (isSign(parsing, '(')) {
      throw expressionFault(
        'something that is no function is called',
        token.at,
        'Call a function or method by its name',
      );
    } else return of;
  }
}

function method(parsing: Parsing, of: Expression): Expression {
  take(parsing);
  const token = expectName(parsing);
  const arity = methodArity(token, isSign(parsing, '('));
  const call = parseArguments(parsing, token.text);
  return checkedCall({ kind: 'call', of, name: token.text, ...call, at: token.at }, arity);
}

function brackets(parsing: Parsing, of: Expression): Expression {
  const { at } = take(parsing);
  const bound = () => isSign(parsing, ':') || isSign(parsing, ']') ? null : conditional(parsing);
  const start = bound();
  if (start !== null && accept(parsing, ']')) return { kind: 'index', of, index: start, at };
  expect(parsing, ':', "Write value[index], value['key'] or value[start:stop]");
  const stop = bound();
  const step = accept(parsing, ':') ? bound() : null;
  expect(parsing, ']', "Close it by ']'");
  return { kind: 'slice', of, start, stop, step, at };
}
