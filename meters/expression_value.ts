import { assert } from './assert.ts';
import { expressionFailure } from './expression_error.ts';
import { ExactNumber, type JsonObject, type JsonValue } from './json.ts';
import { jsonNumber } from './path_number.ts';
import { parseQuantity, type Quantity } from './quantity.ts';

/** A number that Python would hold as a float, and that is exact here. */
export class Decimal {
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }
}

export class Tuple {
  readonly items: readonly Raw[];

  constructor(items: readonly Raw[]) {
    this.items = items;
  }
}

/** What `keys`, `values` and `items` give: it can be walked again and again, and has no places. */
export class View {
  readonly items: readonly Raw[];

  constructor(items: readonly Raw[]) {
    this.items = items;
  }
}

/** What generators, `filter` and `map` give: it can be walked once, and computes as it goes. */
export class Lazy {
  readonly rest: Iterator<Raw>;

  constructor(items: Iterable<Raw>) {
    this.rest = items[Symbol.iterator]();
  }
}

/** A dictionary that the expression made; keys are texts, numbers, truth values or None. */
export class Dict {
  readonly entries: ReadonlyMap<string, readonly [key: Raw, value: Raw]>;

  constructor(entries: readonly (readonly [key: Value, value: Raw])[], at: number) {
    const kept = new Map<string, readonly [Raw, Raw]>();
    for (const [key, value] of entries) {
      const hash = hashOf(key);
      if (hash === null) throw expressionFailure('type', `${typeName(key)} cannot be a key`, at);
      // Of equal keys the first stays, with the last value.
      kept.set(hash, [kept.get(hash)?.[0] ?? key, value]);
    }
    this.entries = kept;
  }
}

/** A function of one argument: a lambda, or one by its name. */
export class Callable {
  readonly call: (argument: Value) => Value;

  constructor(call: (argument: Value) => Value) {
    this.call = call;
  }
}

/** A value of the language. Elements of lists and objects are lifted when they are taken out. */
export type Value =
  | null
  | boolean
  | string
  | bigint
  | Decimal
  | readonly Raw[]
  | JsonObject
  | Dict
  | Tuple
  | View
  | Lazy
  | Callable;
/** A value, or JSON as it came: numbers of either kind are still to be told apart. */
export type Raw = Value | JsonValue;

/** Counts down what an evaluation may cost. */
export interface ExpressionEffort {
  steps: number;
}

/** About a tenth of a second. The longest listing known, 10,000 entries, takes a fifth of it. */
export const MAX_EXPRESSION_STEPS = 1_000_000;
/** UTF-16 units of a text, and elements of a list, that an evaluation may make. */
export const MAX_EXPRESSION_TEXT = 1_048_576;
const UNITS_OF_TEXT_IN_A_STEP = 64;

/** Where in an expression something is computed, and on whose account. */
export interface Site {
  readonly effort: ExpressionEffort;
  readonly at: number;
}

export function spend(effort: ExpressionEffort, steps: number, at: number): void {
  effort.steps -= steps;
  if (effort.steps < 0) throw expressionFailure('too_large', 'it takes too many steps', at);
}

/** Pays for a text that was made or looked through. */
export function spendText(effort: ExpressionEffort, length: number, at: number): void {
  if (length > MAX_EXPRESSION_TEXT) {
    throw expressionFailure(
      'too_large',
      `a text has more than ${MAX_EXPRESSION_TEXT} characters`,
      at,
    );
  }
  spend(effort, 1 + Math.trunc(length / UNITS_OF_TEXT_IN_A_STEP), at);
}

/**
 * Tells the numbers of JSON apart: what has a fraction is a decimal, the rest is whole. `1.0` is whole.
 *
 * @throws {NephoError} `quantity_too_long`
 */
export function lift(raw: Raw): Value {
  if (typeof raw === 'number') return numberFrom(String(raw));
  return raw instanceof ExactNumber ? numberFrom(raw.text) : raw;
}

function numberFrom(text: string): bigint | Decimal {
  const quantity = parseQuantity(text);
  return quantity.scale === 0 ? quantity.unscaled : new Decimal(quantity);
}

/** The result as JSON: what is walked becomes a list, each number exact. */
export function toJson(raw: Raw, effort: ExpressionEffort, depth = 0): JsonValue {
  spend(effort, 1, 0);
  if (depth > 64) throw expressionFailure('too_large', 'the result is nested too deeply', 0);
  const value = lift(raw);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return jsonNumber({ unscaled: value, scale: 0 });
  if (value instanceof Decimal) return jsonNumber(value.quantity);
  if (value instanceof Callable) throw expressionFailure('type', 'the result is a function', 0);
  if (value instanceof Dict) {
    return Object.fromEntries(
      [...value.entries.values()].map(([key, item]) => {
        if (typeof key === 'string') return [key, toJson(item, effort, depth + 1)];
        throw expressionFailure('type', 'a key of the result is no text', 0);
      }),
    );
  }
  const items = itemsOf(value);
  if (items !== null) {
    const list: JsonValue[] = [];
    for (const item of items) list.push(toJson(item, effort, depth + 1));
    return list;
  }
  // An object that came as JSON and was not made here: it is as it was.
  return value as JsonObject;
}

/** Tells lists from the rest; the built-in test does not know read-only ones. */
export function isList(value: Value): value is readonly Raw[] {
  return Array.isArray(value);
}

/** What can be walked, but dictionaries and texts; null for the rest. */
export function itemsOf(value: Value): Iterable<Raw> | null {
  if (isList(value)) return value;
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Lazy) return { [Symbol.iterator]: () => value.rest };
  return null;
}

/** A dictionary of either kind, else null. */
export function asObject(value: Value): JsonObject | Dict | null {
  if (typeof value !== 'object' || value === null || isList(value)) return null;
  const other = value instanceof Decimal || value instanceof Tuple || value instanceof View ||
    value instanceof Lazy || value instanceof Callable;
  return other ? null : value;
}

/** The value under a key; undefined without one. Only own keys: nothing is inherited. */
export function entryOf(object: JsonObject | Dict, key: Value, at: number): Raw | undefined {
  if (!(object instanceof Dict)) {
    if (hashOf(key) === null) {
      throw expressionFailure('type', `${typeName(key)} cannot be a key`, at);
    }
    return typeof key === 'string' && Object.hasOwn(object, key) ? object[key] : undefined;
  }
  const hash = hashOf(key);
  if (hash === null) throw expressionFailure('type', `${typeName(key)} cannot be a key`, at);
  return object.entries.get(hash)?.[1];
}

export function entriesOf(object: JsonObject | Dict): readonly (readonly [key: Raw, value: Raw])[] {
  return object instanceof Dict ? [...object.entries.values()] : Object.entries(object);
}

/** Equal keys have equal hashes: 1, 1.0 and True are one key in Python. */
export function hashOf(value: Value): string | null {
  if (typeof value === 'string') return `t${value}`;
  if (value === null) return 'n';
  if (typeof value === 'boolean') return value ? '1/0' : '0/0';
  if (typeof value === 'bigint') return `${value}/0`;
  if (value instanceof Decimal) return `${value.quantity.unscaled}/${value.quantity.scale}`;
  if (!(value instanceof Tuple)) return null;
  const parts = value.items.map((item) => hashOf(lift(item)));
  return parts.includes(null) ? null : `(${parts.map((part) => JSON.stringify(part)).join()})`;
}

/** Python's truth: nothing, zero and what is empty are false. */
export function isTrue(value: Value): boolean {
  if (value === null || typeof value === 'boolean') return value === true;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'bigint') return value !== 0n;
  if (value instanceof Decimal) return value.quantity.unscaled !== 0n;
  if (isList(value)) return value.length > 0;
  if (value instanceof Tuple || value instanceof View) return value.items.length > 0;
  if (value instanceof Dict) return value.entries.size > 0;
  if (value instanceof Lazy || value instanceof Callable) return true;
  for (const _ in value) return true;
  return false;
}

/** Python's names of types, which operators know from its errors. */
export function typeName(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return 'a bool';
  if (typeof value === 'string') return 'a str';
  if (typeof value === 'bigint') return 'an int';
  if (value instanceof Decimal) return 'a float';
  if (isList(value)) return 'a list';
  if (value instanceof Tuple) return 'a tuple';
  if (value instanceof View) return "a dictionary's view";
  if (value instanceof Lazy) return 'a generator';
  if (value instanceof Callable) return 'a function';
  assert(asObject(value) !== null, 'a value is of one of the types');
  return 'a dict';
}
