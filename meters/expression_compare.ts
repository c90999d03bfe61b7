import { expressionFailure } from './expression_error.ts';
import { compareNumerics, numericOf } from './expression_number.ts';
import type { CompareOperator } from './expression_syntax.ts';
import { compareTexts } from './expression_text.ts';
import {
  asObject,
  entriesOf,
  entryOf,
  isList,
  itemsOf,
  lift,
  type Raw,
  type Site,
  spend,
  spendText,
  Tuple,
  typeName,
  type Value,
  View,
} from './expression_value.ts';

/** Levels of lists within lists that are compared. */
const MAX_DEPTH = 64;

/** A comparison as Python makes it; the order of values of two types is refused. */
export function compare(operator: CompareOperator, left: Value, right: Value, site: Site): boolean {
  spend(site.effort, 1, site.at);
  switch (operator) {
    case '==':
      return areEqual(left, right, site);
    case '!=':
      return !areEqual(left, right, site);
    case 'in':
      return contains(right, left, site);
    case 'not in':
      return !contains(right, left, site);
    case 'is':
      return left === right;
    case 'is not':
      return left !== right;
    case '<':
      return order(left, right, site) < 0;
    case '<=':
      return order(left, right, site) <= 0;
    case '>':
      return order(left, right, site) > 0;
    case '>=':
      return order(left, right, site) >= 0;
  }
}

export function areEqual(left: Value, right: Value, site: Site, depth = 0): boolean {
  spend(site.effort, 1, site.at);
  if (depth > MAX_DEPTH) throw expressionFailure('too_large', 'it is nested too deeply', site.at);
  if (typeof left === 'string' && typeof right === 'string') {
    spendText(site.effort, Math.min(left.length, right.length), site.at);
    return left === right;
  }
  const [a, b] = [numericOf(left), numericOf(right)];
  if (a !== null && b !== null) return compareNumerics(a, b) === 0;
  const lists = sequences(left, right);
  if (lists !== null) {
    const [x, y] = lists;
    return x.length === y.length &&
      x.every((item, at) => areEqual(lift(item), lift(y[at] ?? null), site, depth + 1));
  }
  const [from, to] = [asObject(left), asObject(right)];
  if (from === null || to === null) {
    if (left instanceof View || right instanceof View) {
      throw expressionFailure('type', "a dictionary's view cannot be compared", site.at);
    }
    return left === right;
  }
  const [entries, others] = [entriesOf(from), entriesOf(to)];
  return entries.length === others.length && entries.every(([key, item]) => {
    const other = entryOf(to, lift(key), site.at);
    return other !== undefined && areEqual(lift(item), lift(other), site, depth + 1);
  });
}

/** Negative, zero or positive; only numbers, texts, lists and tuples have an order. */
export function order(left: Value, right: Value, site: Site, depth = 0): number {
  spend(site.effort, 1, site.at);
  if (depth > MAX_DEPTH) throw expressionFailure('too_large', 'it is nested too deeply', site.at);
  const [a, b] = [numericOf(left), numericOf(right)];
  if (a !== null && b !== null) return compareNumerics(a, b);
  if (typeof left === 'string' && typeof right === 'string') {
    spendText(site.effort, Math.min(left.length, right.length), site.at);
    return compareTexts(left, right);
  }
  const lists = sequences(left, right);
  if (lists === null) {
    throw expressionFailure(
      'type',
      `${typeName(left)} and ${typeName(right)} have no order`,
      site.at,
    );
  }
  const [x, y] = lists;
  for (let at = 0; at < Math.min(x.length, y.length); at += 1) {
    const [p, q] = [lift(x[at] ?? null), lift(y[at] ?? null)];
    if (!areEqual(p, q, site, depth + 1)) return order(p, q, site, depth + 1);
  }
  return x.length - y.length;
}

/** Both lists or both tuples. */
function sequences(left: Value, right: Value): [readonly Raw[], readonly Raw[]] | null {
  if (isList(left) && isList(right)) return [left, right];
  return left instanceof Tuple && right instanceof Tuple ? [left.items, right.items] : null;
}

function contains(container: Value, value: Value, site: Site): boolean {
  if (typeof container === 'string') {
    if (typeof value !== 'string') {
      throw expressionFailure('type', `${typeName(value)} cannot be in a str`, site.at);
    }
    spendText(site.effort, container.length, site.at);
    return container.includes(value);
  }
  const object = asObject(container);
  if (object !== null) return entryOf(object, value, site.at) !== undefined;
  const items = itemsOf(container);
  if (items === null) {
    throw expressionFailure('type', `nothing can be in ${typeName(container)}`, site.at);
  }
  if (container instanceof View) spend(site.effort, container.items.length, site.at);
  for (const item of items) if (areEqual(lift(item), value, site)) return true;
  return false;
}
