import { expressionFailure } from './expression_error.ts';
import { order } from './expression_compare.ts';
import { textOf } from './expression_format.ts';
import { type Arity, type Call, walked } from './expression_methods.ts';
import {
  arithmetic,
  decimalFromText,
  numericOf,
  quantityOfNumeric,
  round,
  truncate,
  wholeFromText,
} from './expression_number.ts';
import { charactersOf, strip } from './expression_text.ts';
import {
  asObject,
  Callable,
  Decimal,
  entriesOf,
  isList,
  isTrue,
  Lazy,
  lift,
  MAX_EXPRESSION_TEXT,
  type Raw,
  spend,
  Tuple,
  typeName,
  type Value,
  View,
} from './expression_value.ts';

interface BuiltIn extends Arity {
  readonly run: (call: Call) => Value;
}

/** The functions that may be called. `isinstance` is not among them: it takes types, see the parser. */
export const FUNCTIONS: Readonly<Record<string, BuiltIn>> = {
  str: {
    least: 0,
    most: 1,
    names: [],
    run: (call) => textOf(call.values[0] ?? textless(call), call),
  },
  int: { least: 1, most: 2, names: [], run: toWhole },
  float: { least: 1, most: 1, names: [], run: toDecimal },
  bool: { least: 1, most: 1, names: [], run: (call) => isTrue(first(call)) },
  len: { least: 1, most: 1, names: [], run: lengthOf },
  min: { least: 1, most: 64, names: ['key', 'default'], run: (call) => extreme(call, -1) },
  max: { least: 1, most: 64, names: ['key', 'default'], run: (call) => extreme(call, 1) },
  sum: { least: 1, most: 2, names: ['start'], run: sumOf },
  abs: { least: 1, most: 1, names: [], run: absolute },
  round: { least: 1, most: 2, names: ['ndigits'], run: rounded },
  sorted: { least: 1, most: 1, names: ['key', 'reverse'], run: sortedList },
  list: { least: 1, most: 1, names: [], run: (call) => collect(first(call), call) },
  any: { least: 1, most: 1, names: [], run: (call) => firstTrue(call, true) },
  all: { least: 1, most: 1, names: [], run: (call) => !firstTrue(call, false) },
  next: { least: 1, most: 2, names: [], run: nextOf },
  filter: { least: 2, most: 2, names: [], run: filtered },
  map: { least: 2, most: 2, names: [], run: mapped },
};

/** @throws {NephoError} `expression_failed` */
export function callFunction(name: string, call: Call): Value {
  spend(call.effort, 1, call.at);
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (known === undefined) throw expressionFailure('type', `'${name}' is no function`, call.at);
  return known.run(call);
}

/** The types that `isinstance` may ask for. */
export const TYPES: Readonly<Record<string, (value: Value) => boolean>> = {
  str: (value) => typeof value === 'string',
  // In Python a truth value is a number too.
  int: (value) => typeof value === 'bigint' || typeof value === 'boolean',
  float: (value) => value instanceof Decimal,
  bool: (value) => typeof value === 'boolean',
  list: (value) => isList(value),
  tuple: (value) => value instanceof Tuple,
  dict: (value) => asObject(value) !== null,
};

function first(call: Call): Value {
  return call.values[0] ?? null;
}

/** `str()` is the empty text; `str(None)` is not. */
function textless(call: Call): Value {
  return call.values.length === 0 ? '' : null;
}

function toWhole(call: Call): Value {
  const value = first(call);
  const base = call.values[1];
  if (typeof value === 'string') {
    const whole = base === undefined ? 10n : numericOf(base);
    if (typeof whole !== 'bigint' || whole < 2n || whole > 36n) {
      throw expressionFailure('value', 'a base is a whole number from 2 to 36', call.at);
    }
    return wholeFromText(strip(value, null, 'both'), Number(whole), call.at);
  }
  const numeric = numericOf(value);
  if (numeric !== null && base === undefined) return truncate(numeric);
  throw expressionFailure('type', `${typeName(value)} cannot become an int`, call.at);
}

function toDecimal(call: Call): Value {
  const value = first(call);
  if (typeof value === 'string') return decimalFromText(strip(value, null, 'both'), call.at);
  const numeric = numericOf(value);
  if (numeric !== null) return new Decimal(quantityOfNumeric(numeric));
  throw expressionFailure('type', `${typeName(value)} cannot become a float`, call.at);
}

function lengthOf(call: Call): Value {
  const value = first(call);
  if (typeof value === 'string') return BigInt(charactersOf(value).length);
  if (isList(value)) return BigInt(value.length);
  if (value instanceof Tuple || value instanceof View) return BigInt(value.items.length);
  const object = asObject(value);
  if (object !== null) return BigInt(entriesOf(object).length);
  throw expressionFailure('type', `${typeName(value)} has no length`, call.at);
}

function extreme(call: Call, sign: 1 | -1): Value {
  const key = callableOf(call.named.get('key') ?? null, call);
  const several = call.values.length > 1;
  const fallback = call.named.get('default');
  if (several && fallback !== undefined) {
    throw expressionFailure('type', 'a default needs one list', call.at);
  }
  let best: { value: Value; key: Value } | null = null;
  for (const raw of several ? call.values : walked(first(call), call)) {
    spend(call.effort, 1, call.at);
    const value = lift(raw);
    const by = key === null ? value : key.call(value);
    if (best === null || order(by, best.key, call) * sign > 0) best = { value, key: by };
  }
  if (best !== null) return best.value;
  if (fallback !== undefined) return fallback;
  throw expressionFailure('value', 'an empty list has no least or greatest element', call.at);
}

function sumOf(call: Call): Value {
  const start = numericOf(call.values[1] ?? call.named.get('start') ?? 0n);
  if (start === null) throw expressionFailure('type', 'a sum begins with a number', call.at);
  let total = start;
  for (const raw of walked(first(call), call)) {
    spend(call.effort, 1, call.at);
    const value = lift(raw);
    const numeric = numericOf(value);
    if (numeric === null) {
      throw expressionFailure('type', `${typeName(value)} cannot be added up`, call.at);
    }
    total = arithmetic('+', total, numeric, call.at);
  }
  return total;
}

function absolute(call: Call): Value {
  const value = first(call);
  const numeric = numericOf(value);
  if (numeric === null) {
    throw expressionFailure('type', `${typeName(value)} has no absolute value`, call.at);
  }
  if (typeof numeric === 'bigint') return numeric < 0n ? -numeric : numeric;
  const { unscaled, scale } = numeric.quantity;
  return new Decimal({ unscaled: unscaled < 0n ? -unscaled : unscaled, scale });
}

function rounded(call: Call): Value {
  const value = first(call);
  const numeric = numericOf(value);
  const digits = call.values[1] ?? call.named.get('ndigits') ?? null;
  if (numeric === null || (digits !== null && typeof digits !== 'bigint')) {
    throw expressionFailure('type', `${typeName(value)} cannot be rounded so`, call.at);
  }
  return round(numeric, digits, call.at);
}

function sortedList(call: Call): Value {
  const key = callableOf(call.named.get('key') ?? null, call);
  const sign = isTrue(call.named.get('reverse') ?? false) ? -1 : 1;
  const items = collect(first(call), call).map((raw) => {
    const value = lift(raw);
    return { value, key: key === null ? value : key.call(value) };
  });
  return items.sort((a, b) => order(a.key, b.key, call) * sign).map(({ value }) => value);
}

/** The elements as a list. */
function collect(value: Value, call: Call): Raw[] {
  const items: Raw[] = [];
  for (const item of walked(value, call)) {
    spend(call.effort, 1, call.at);
    if (items.length >= MAX_EXPRESSION_TEXT) {
      throw expressionFailure('too_large', 'a list has too many elements', call.at);
    }
    items.push(item);
  }
  return items;
}

function firstTrue(call: Call, wanted: boolean): boolean {
  for (const item of walked(first(call), call)) {
    spend(call.effort, 1, call.at);
    if (isTrue(lift(item)) === wanted) return true;
  }
  return false;
}

function nextOf(call: Call): Value {
  const value = first(call);
  if (!(value instanceof Lazy)) {
    throw expressionFailure('type', `${typeName(value)} is no generator`, call.at);
  }
  const step = value.rest.next();
  if (step.done !== true) return lift(step.value);
  const [, fallback] = call.values;
  if (fallback !== undefined) return fallback;
  throw expressionFailure('index_missing', 'there is no next element', call.at);
}

function filtered(call: Call): Value {
  const [by = null, value = null] = call.values;
  const test = callableOf(by, call);
  const items = walked(value, call);
  return new Lazy((function* () {
    for (const item of items) {
      spend(call.effort, 1, call.at);
      const element = lift(item);
      if (isTrue(test === null ? element : test.call(element))) yield element;
    }
  })());
}

function mapped(call: Call): Value {
  const [by = null, value = null] = call.values;
  const change = callableOf(by, call);
  if (change === null) throw expressionFailure('type', 'map wants a function', call.at);
  const items = walked(value, call);
  return new Lazy((function* () {
    for (const item of items) {
      spend(call.effort, 1, call.at);
      yield change.call(lift(item));
    }
  })());
}

function callableOf(value: Value, call: Call): Callable | null {
  if (value === null || value instanceof Callable) return value;
  throw expressionFailure('type', `${typeName(value)} stands where a function should`, call.at);
}
