import { expressionFailure } from './expression_error.ts';
import { areEqual } from './expression_compare.ts';
import { braceFormat } from './expression_format.ts';
import * as texts from './expression_text.ts';
import {
  asObject,
  entriesOf,
  entryOf,
  type ExpressionEffort,
  isList,
  itemsOf,
  lift,
  MAX_EXPRESSION_TEXT,
  type Raw,
  spend,
  spendText,
  Tuple,
  typeName,
  type Value,
  View,
} from './expression_value.ts';

/** A call with its arguments computed. */
export interface Call {
  readonly values: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
  readonly effort: ExpressionEffort;
  readonly at: number;
}

/** How many arguments a method or function takes, and which of them may be given by name. */
export interface Arity {
  readonly least: number;
  readonly most: number;
  /** Names in the order of places; null for any names. */
  readonly names: readonly string[] | null;
}

function takes(least: number, most: number, ...names: string[]): Arity {
  return { least, most, names };
}

/** The methods that may be called, on whatever has them. */
export const METHODS: Readonly<Record<string, Arity>> = {
  upper: takes(0, 0),
  lower: takes(0, 0),
  title: takes(0, 0),
  capitalize: takes(0, 0),
  strip: takes(0, 1),
  lstrip: takes(0, 1),
  rstrip: takes(0, 1),
  split: takes(0, 2, 'sep', 'maxsplit'),
  rsplit: takes(0, 2, 'sep', 'maxsplit'),
  splitlines: takes(0, 0),
  join: takes(1, 1),
  replace: takes(2, 3),
  removeprefix: takes(1, 1),
  removesuffix: takes(1, 1),
  startswith: takes(1, 1),
  endswith: takes(1, 1),
  find: takes(1, 1),
  rfind: takes(1, 1),
  index: takes(1, 1),
  count: takes(1, 1),
  isdigit: takes(0, 0),
  format: { least: 0, most: 64, names: null },
  get: takes(1, 2),
  keys: takes(0, 0),
  values: takes(0, 0),
  items: takes(0, 0),
};

/** @throws {NephoError} `expression_failed` */
export function callMethod(of: Value, name: string, call: Call): Value {
  spend(call.effort, 1, call.at);
  const found = typeof of === 'string'
    ? textMethod(of, name, call)
    : isList(of) || of instanceof Tuple
    ? listMethod(isList(of) ? of : of.items, name, call)
    : dictMethod(of, name, call);
  if (found !== undefined) return found;
  throw expressionFailure('type', `${typeName(of)} has no method '${name}'`, call.at);
}

function dictMethod(of: Value, name: string, call: Call): Value | undefined {
  const object = asObject(of);
  if (object === null) return undefined;
  if (name === 'get') {
    const found = entryOf(object, call.values[0] ?? null, call.at);
    return found === undefined ? call.values[1] ?? null : lift(found);
  }
  if (name !== 'keys' && name !== 'values' && name !== 'items') return undefined;
  const entries = entriesOf(object);
  spend(call.effort, entries.length, call.at);
  if (name === 'items') return new View(entries.map((entry) => new Tuple(entry)));
  return new View(entries.map(([key, value]) => (name === 'keys' ? key : value)));
}

function listMethod(items: readonly Raw[], name: string, call: Call): Value | undefined {
  const [wanted = null] = call.values;
  const matches = (item: Raw) => areEqual(lift(item), wanted, call);
  if (name === 'count') return BigInt(items.filter(matches).length);
  if (name !== 'index') return undefined;
  const index = items.findIndex(matches);
  if (index < 0) throw expressionFailure('value', 'the list has no such element', call.at);
  return BigInt(index);
}

function textMethod(of: string, name: string, call: Call): Value | undefined {
  spendText(call.effort, of.length, call.at);
  const { at } = call;
  switch (name) {
    case 'upper':
      return of.toUpperCase();
    case 'lower':
      return of.toLowerCase();
    case 'title':
      return texts.titleText(of, at);
    case 'capitalize':
      return texts.capitalizeText(of, at);
    case 'strip':
      return texts.strip(of, optionalText(call, 0), 'both');
    case 'lstrip':
      return texts.strip(of, optionalText(call, 0), 'l');
    case 'rstrip':
      return texts.strip(of, optionalText(call, 0), 'r');
    case 'split':
    case 'rsplit':
      return splitMethod(of, name, call);
    case 'splitlines':
      return texts.splitLines(of);
    case 'join':
      return join(of, call);
    case 'format':
      return braceFormat(of, call.values, call.named, call);
    case 'isdigit':
      return texts.isDigits(of, at);
    default:
      return searchMethod(of, name, call);
  }
}

function searchMethod(of: string, name: string, call: Call): Value | undefined {
  switch (name) {
    case 'replace':
      return replace(of, call);
    case 'removeprefix': {
      const part = textAt(call, 0);
      return of.startsWith(part) ? of.slice(part.length) : of;
    }
    case 'removesuffix': {
      const part = textAt(call, 0);
      return part !== '' && of.endsWith(part) ? of.slice(0, -part.length) : of;
    }
    case 'startswith':
      return partsAt(call).some((part) => of.startsWith(part));
    case 'endswith':
      return partsAt(call).some((part) => of.endsWith(part));
    case 'find':
      return BigInt(texts.pointIndex(of, of.indexOf(textAt(call, 0))));
    case 'rfind':
      return BigInt(texts.pointIndex(of, of.lastIndexOf(textAt(call, 0))));
    case 'count':
      return BigInt(texts.countText(of, textAt(call, 0)));
    case 'index': {
      const found = of.indexOf(textAt(call, 0));
      if (found < 0) throw expressionFailure('value', 'the text has no such part', call.at);
      return BigInt(texts.pointIndex(of, found));
    }
    default:
      return undefined;
  }
}

function splitMethod(of: string, name: 'split' | 'rsplit', call: Call): Value {
  const separator = optionalText(call, 0, 'sep');
  if (separator === '') throw expressionFailure('value', 'the separator is empty', call.at);
  const most = call.values[1] ?? call.named.get('maxsplit') ?? -1n;
  const cuts = wholeOf(most, call.at);
  return name === 'split'
    ? texts.split(of, separator, cuts)
    : texts.splitFromRight(of, separator, cuts);
}

function join(separator: string, call: Call): string {
  const [value = null] = call.values;
  const items = typeof value === 'string' ? Array.from(value) : walked(value, call);
  const parts: string[] = [];
  let length = 0;
  for (const item of items) {
    const part = lift(item);
    if (typeof part !== 'string') {
      throw expressionFailure('type', `join finds ${typeName(part)} where it wants a str`, call.at);
    }
    length += part.length + separator.length;
    spendText(call.effort, length, call.at);
    parts.push(part);
  }
  return parts.join(separator);
}

/** The elements, a dictionary's keys, or a text's characters. @throws {NephoError} `expression_failed` */
export function walked(value: Value, call: Pick<Call, 'at'>): Iterable<Raw> {
  if (typeof value === 'string') return Array.from(value);
  const object = asObject(value);
  const items = object === null ? itemsOf(value) : entriesOf(object).map(([key]) => key);
  if (items !== null) return items;
  throw expressionFailure('type', `${typeName(value)} has no elements`, call.at);
}

function replace(of: string, call: Call): string {
  const [from, to] = [textAt(call, 0), textAt(call, 1)];
  const most = wholeOf(call.values[2] ?? -1n, call.at);
  const places = texts.countText(of, from);
  spendText(call.effort, of.length + places * to.length, call.at);
  return texts.replaceText(of, { from, to, most });
}

/** A count; all that are negative mean the same, and so do all that no text reaches. */
function wholeOf(value: Value, at: number): number {
  if (typeof value !== 'bigint' && typeof value !== 'boolean') {
    throw expressionFailure('type', `${typeName(value)} is no count`, at);
  }
  const whole = Number(value);
  return Math.min(Math.max(whole, -1), MAX_EXPRESSION_TEXT + 1);
}

function optionalText(call: Call, index: number, name = ''): string | null {
  const value = call.values[index] ?? call.named.get(name) ?? null;
  if (value === null || typeof value === 'string') return value;
  throw expressionFailure('type', `${typeName(value)} stands where a str should`, call.at);
}

function textAt(call: Call, index: number): string {
  const value = call.values[index] ?? null;
  if (typeof value === 'string') return value;
  throw expressionFailure('type', `${typeName(value)} stands where a str should`, call.at);
}

/** A text, or a tuple of texts of which any will do. */
function partsAt(call: Call): string[] {
  const [value = null] = call.values;
  const items = value instanceof Tuple ? value.items.map(lift) : [value];
  return items.map((item) => {
    if (typeof item === 'string') return item;
    throw expressionFailure('type', `${typeName(item)} stands where a str should`, call.at);
  });
}
