import { unreachable } from './assert.ts';
import { compare } from './expression_compare.ts';
import { expressionFailure } from './expression_error.ts';
import { percentFormat } from './expression_format.ts';
import { callFunction, TYPES } from './expression_functions.ts';
import { callMethod, walked } from './expression_methods.ts';
import { arithmetic, negate, numericOf } from './expression_number.ts';
import { indexed, sliced } from './expression_sequence.ts';
import type {
  BinaryExpression,
  CallExpression,
  ComprehensionExpression,
  Expression,
} from './expression_syntax.ts';
import {
  Callable,
  Decimal,
  Dict,
  type ExpressionEffort,
  isList,
  isTrue,
  itemsOf,
  Lazy,
  lift,
  MAX_EXPRESSION_TEXT,
  type Raw,
  spend,
  spendText,
  Tuple,
  typeName,
  type Value,
} from './expression_value.ts';
import { parseQuantity } from './quantity.ts';

/** The names that an expression sees, innermost first. */
interface Scope {
  readonly names: Readonly<Record<string, Raw>>;
  readonly outer: Scope | null;
  readonly effort: ExpressionEffort;
}

/**
 * Computes an expression. It reaches the given names and nothing else, and changes none of them.
 *
 * @throws {NephoError} `expression_failed`, its context has `failure` and `offset`
 */
export function evaluate(
  expression: Expression,
  names: Readonly<Record<string, Raw>>,
  effort: ExpressionEffort,
): Value {
  return valueOf(expression, { names, outer: null, effort });
}

function valueOf(node: Expression, scope: Scope): Value {
  spend(scope.effort, 1, node.at);
  switch (node.kind) {
    case 'literal':
      return node.value;
    case 'decimal':
      return new Decimal(parseQuantity(node.text));
    case 'name':
      return named(node.name, scope, node.at);
    case 'list':
      return node.items.map((item) => valueOf(item, scope));
    case 'tuple':
      return new Tuple(node.items.map((item) => valueOf(item, scope)));
    case 'dict':
      return new Dict(
        node.entries.map(([key, value]) => [valueOf(key, scope), valueOf(value, scope)] as const),
        node.at,
      );
    case 'index':
      return indexed(valueOf(node.of, scope), valueOf(node.index, scope), siteOf(node, scope));
    case 'slice': {
      const bound = (part: Expression | null) => part === null ? null : valueOf(part, scope);
      return sliced(
        valueOf(node.of, scope),
        { start: bound(node.start), stop: bound(node.stop), step: bound(node.step) },
        siteOf(node, scope),
      );
    }
    case 'call':
      return callOf(node, scope);
    case 'unary':
      return unary(node.operator, valueOf(node.operand, scope), node.at);
    case 'binary':
      return binary(node, scope);
    case 'compare':
      return chain(node, scope);
    case 'and': {
      const left = valueOf(node.left, scope);
      return isTrue(left) ? valueOf(node.right, scope) : left;
    }
    case 'or': {
      const left = valueOf(node.left, scope);
      return isTrue(left) ? left : valueOf(node.right, scope);
    }
    case 'conditional':
      return valueOf(
        isTrue(valueOf(node.condition, scope)) ? node.whenTrue : node.whenFalse,
        scope,
      );
    case 'comprehension':
      return comprehension(node, scope);
    case 'lambda':
    case 'function':
      return callable(node, scope);
    default:
      return unreachable(node);
  }
}

function callable(
  node: Extract<Expression, { kind: 'lambda' | 'function' }>,
  scope: Scope,
): Callable {
  const { effort } = scope;
  if (node.kind === 'lambda') {
    return new Callable((argument) =>
      valueOf(node.body, { names: { [node.parameter]: argument }, outer: scope, effort })
    );
  }
  return new Callable((argument) =>
    callFunction(node.name, { values: [argument], named: new Map(), effort, at: node.at })
  );
}

function siteOf(node: Expression, scope: Scope) {
  return { effort: scope.effort, at: node.at };
}

function named(name: string, scope: Scope, at: number): Value {
  for (let here: Scope | null = scope; here !== null; here = here.outer) {
    const found = Object.hasOwn(here.names, name) ? here.names[name] : undefined;
    if (found !== undefined) return lift(found);
  }
  throw expressionFailure('key_missing', `there is no '${name}'`, at);
}

function callOf(node: CallExpression, scope: Scope): Value {
  if (node.of === null && node.name === 'isinstance') return isInstance(node, scope);
  const of = node.of === null ? null : valueOf(node.of, scope);
  const call = {
    values: node.values.map((value) => valueOf(value, scope)),
    named: new Map(node.named.map(([name, value]) => [name, valueOf(value, scope)])),
    effort: scope.effort,
    at: node.at,
  };
  return node.of === null ? callFunction(node.name, call) : callMethod(of, node.name, call);
}

/** Its second argument is a type's name or a tuple of them: the parser sees to that. */
function isInstance(node: CallExpression, scope: Scope): boolean {
  const [subject, types] = node.values;
  if (subject === undefined || types === undefined) return false;
  const value = valueOf(subject, scope);
  return (types.kind === 'tuple' ? types.items : [types]).some((type) =>
    type.kind === 'function' && TYPES[type.name]?.(value) === true
  );
}

function unary(operator: '-' | '+' | 'not', value: Value, at: number): Value {
  if (operator === 'not') return !isTrue(value);
  const numeric = numericOf(value);
  if (numeric === null) {
    throw expressionFailure('type', `${typeName(value)} has no sign`, at);
  }
  return operator === '-' ? negate(numeric) : numeric;
}

function binary(node: BinaryExpression, scope: Scope): Value {
  const { operator, at } = node;
  const [left, right] = [valueOf(node.left, scope), valueOf(node.right, scope)];
  if (typeof left === 'string' && operator === '%') {
    return percentFormat(left, right, { effort: scope.effort, at });
  }
  const [a, b] = [numericOf(left), numericOf(right)];
  if (a !== null && b !== null) return arithmetic(operator, a, b, at);
  if (operator === '+') {
    const joined = joinedOf(left, right, scope.effort, at);
    if (joined !== null) return joined;
  }
  if (operator === '*') {
    const [sequence, count] = typeof b === 'bigint' ? [left, b] : [right, a];
    const repeated = typeof count === 'bigint'
      ? repeat(sequence, count, { effort: scope.effort, at })
      : null;
    if (repeated !== null) return repeated;
  }
  throw expressionFailure(
    'type',
    `'${operator}' does not combine ${typeName(left)} with ${typeName(right)}`,
    at,
  );
}

function joinedOf(left: Value, right: Value, effort: ExpressionEffort, at: number): Value | null {
  if (typeof left === 'string' && typeof right === 'string') {
    spendText(effort, left.length + right.length, at);
    return left + right;
  }
  const lists = isList(left) && isList(right);
  if (!lists && !(left instanceof Tuple && right instanceof Tuple)) return null;
  const items = [...itemsOf(left) ?? [], ...itemsOf(right) ?? []];
  spend(effort, items.length, at);
  return lists ? items : new Tuple(items);
}

function repeat(
  value: Value,
  count: bigint,
  site: { effort: ExpressionEffort; at: number },
): Value | null {
  const items = isList(value) ? value : value instanceof Tuple ? value.items : null;
  if (items === null && typeof value !== 'string') return null;
  const length = typeof value === 'string' ? value.length : items?.length ?? 0;
  const times = count < 0n ? 0n : count;
  if (times * BigInt(Math.max(length, 1)) > BigInt(MAX_EXPRESSION_TEXT)) {
    throw expressionFailure('too_large', 'what is repeated becomes too long', site.at);
  }
  spendText(site.effort, length * Number(times), site.at);
  if (typeof value === 'string') return value.repeat(Number(times));
  spend(site.effort, length * Number(times), site.at);
  const list = Array.from({ length: Number(times) }, () => items ?? []).flat();
  return value instanceof Tuple ? new Tuple(list) : list;
}

/** `a < b < c` computes b once, and c only if the first holds. */
function chain(node: Extract<Expression, { kind: 'compare' }>, scope: Scope): boolean {
  let left = valueOf(node.first, scope);
  for (const { operator, value, at } of node.rest) {
    const right = valueOf(value, scope);
    if (!compare(operator, left, right, { effort: scope.effort, at })) return false;
    left = right;
  }
  return true;
}

function comprehension(node: ComprehensionExpression, scope: Scope): Value {
  // Python computes what is walked at once, and the rest as it is asked for.
  const items = walked(valueOf(node.iterable, scope), node);
  const lazy = new Lazy((function* () {
    for (const item of items) {
      const inner = { names: bind(node, lift(item)), outer: scope, effort: scope.effort };
      if (node.conditions.every((condition) => isTrue(valueOf(condition, inner)))) {
        yield valueOf(node.element, inner);
      }
    }
  })());
  return node.lazy ? lazy : [...itemsOf(lazy) ?? []];
}

function bind(node: ComprehensionExpression, value: Value): Record<string, Raw> {
  const [name = ''] = node.names;
  if (node.names.length === 1) return { [name]: value };
  const parts = [...walked(value, node)];
  if (parts.length !== node.names.length) {
    throw expressionFailure(
      'value',
      `an element has ${parts.length} parts for ${node.names.length} names`,
      node.at,
    );
  }
  return Object.fromEntries(node.names.map((name, at) => [name, parts[at] ?? null]));
}
