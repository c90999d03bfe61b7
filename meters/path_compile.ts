import { NephoError } from './errors.ts';
import { isJsonObject, type JsonValue } from './json.ts';
import { compareValues, equal, holdsFor, operate } from './path_compare.ts';
import type { Path, PathTest, SortKey } from './path_syntax.ts';

/**
 * A value with the way that led to it. A computed value (a sum, a split) has no way back, nor has an
 * element while a filter looks at it: there `$` is the element, as in the ancestor.
 */
export interface Datum {
  readonly value: JsonValue;
  readonly parent: Datum | null;
  readonly key: string | number | null;
}

/** What is left of the work that one notification may cause. */
export interface Effort {
  steps: number;
}

/** Takes a found datum; true means that no more is wanted. */
export type Emit = (datum: Datum) => boolean;
export type Walk = (datum: Datum, effort: Effort, emit: Emit) => boolean;

/** Data looked at for one notification: about 50 ms. */
export const MAX_PATH_STEPS = 500_000;

export function rootDatum(value: JsonValue): Datum {
  return { value, parent: null, key: null };
}

/** Compiles a path to closures that hand over what they find, in order, until told to stop. */
export function compileWalk(path: Path): Walk {
  switch (path.kind) {
    case 'root':
      return (datum, _effort, emit) => emit(topOf(datum));
    case 'this':
      return (datum, _effort, emit) => emit(datum);
    case 'parent':
      return (datum, _effort, emit) => datum.parent !== null && emit(datum.parent);
    case 'literal': {
      const constant = rootDatum(path.value);
      return (_datum, _effort, emit) => emit(constant);
    }
    case 'fields':
      return walkFields(path.names);
    case 'index':
      return walkIndex(path.index);
    case 'slice':
      return walkSlice(path.start, path.end);
    case 'child': {
      const [left, right] = [compileWalk(path.left), compileWalk(path.right)];
      return (datum, effort, emit) => left(datum, effort, (found) => right(found, effort, emit));
    }
    case 'union': {
      const [left, right] = [compileWalk(path.left), compileWalk(path.right)];
      return (datum, effort, emit) => left(datum, effort, emit) || right(datum, effort, emit);
    }
    case 'where': {
      const [left, right] = [compileWalk(path.left), compileWalk(path.right)];
      return (datum, effort, emit) =>
        left(datum, effort, (found) => right(found, effort, () => true) && emit(found));
    }
    case 'descendants':
      return walkDescendants(compileWalk(path.left), compileWalk(path.right));
    case 'filter':
      return walkFilter(path.tests);
    case 'operation':
      return walkOperation(path);
    case 'length':
    case 'lower':
    case 'split':
    case 'substitute':
    case 'sort':
      return walkComputed(compileFunction(path));
  }
}

function spend(effort: Effort): void {
  effort.steps -= 1;
  if (effort.steps < 0) {
    throw new NephoError(
      'definition_failed',
      `Cannot evaluate a path: the notification takes more than ${MAX_PATH_STEPS} steps`,
    );
  }
}

function topOf(datum: Datum): Datum {
  let top = datum;
  while (top.parent !== null) top = top.parent;
  return top;
}

function walkFields(names: readonly string[]): Walk {
  const all = names.includes('*');
  return (datum, effort, emit) => {
    const { value } = datum;
    if (!isJsonObject(value)) return false;
    for (const key of all ? Object.keys(value) : names) {
      spend(effort);
      const field = Object.hasOwn(value, key) ? value[key] : undefined;
      if (field !== undefined && emit({ value: field, parent: datum, key })) return true;
    }
    return false;
  };
}

function walkIndex(index: number): Walk {
  return (datum, effort, emit) => {
    spend(effort);
    const { value } = datum;
    const element = typeof value === 'string'
      ? Array.from(value).at(index)
      : Array.isArray(value)
      ? value.at(index)
      : undefined;
    return element !== undefined && emit({ value: element, parent: datum, key: index });
  };
}

function walkSlice(start: number | null, end: number | null): Walk {
  return (datum, effort, emit) => {
    if (datum.value === null) return false;
    const list = Array.isArray(datum.value) ? datum : { ...datum, value: [datum.value] };
    const { length } = list.value as JsonValue[];
    const from = bound(start ?? 0, length);
    const to = bound(end ?? length, length);
    for (let key = from; key < to; key += 1) {
      spend(effort);
      const element = (list.value as JsonValue[])[key] as JsonValue;
      if (emit({ value: element, parent: list, key })) return true;
    }
    return false;
  };
}

function bound(index: number, length: number): number {
  return Math.min(Math.max(index < 0 ? index + length : index, 0), length);
}

function walkDescendants(left: Walk, right: Walk): Walk {
  const descend: Walk = (datum, effort, emit) => {
    spend(effort);
    if (right(datum, effort, emit)) return true;
    const { value } = datum;
    if (Array.isArray(value)) {
      return value.some((element, key) =>
        descend({ value: element, parent: datum, key }, effort, emit)
      );
    }
    if (!isJsonObject(value)) return false;
    return Object.entries(value).some(([key, element]) =>
      descend({ value: element, parent: datum, key }, effort, emit)
    );
  };
  return (datum, effort, emit) => left(datum, effort, (found) => descend(found, effort, emit));
}

function walkFilter(tests: readonly PathTest[]): Walk {
  const checks = tests.map(({ path, comparison }) => {
    const walk = compileWalk(path);
    const fits: Emit = comparison === null
      ? () => true
      : (found) => holdsFor(found.value, comparison);
    return (element: Datum, effort: Effort) => walk(element, effort, fits);
  });
  return (datum, effort, emit) => {
    if (!Array.isArray(datum.value)) return false;
    return datum.value.some((value, key) => {
      spend(effort);
      const element = rootDatum(value);
      return checks.every((check) => check(element, effort)) && emit({ value, parent: datum, key });
    });
  };
}

function walkOperation(path: Path & { kind: 'operation' }): Walk {
  const sides = [path.left, path.right].map((side) => ({
    walk: compileWalk(side),
    literal: side.kind === 'literal' ? side.value : undefined,
  }));
  return (datum, effort, emit) => {
    const [left, right] = sides.map(({ walk, literal }) =>
      literal === undefined ? collect(walk, datum, effort) : [literal]
    ) as [JsonValue[], JsonValue[]];
    const [leftOnly, rightOnly] = sides.map(({ literal }) => literal !== undefined);
    const count = leftOnly ? right.length : left.length;
    if (!leftOnly && !rightOnly && left.length !== right.length) return false;
    // All or nothing: one pair that has no result takes the others with it.
    const results: JsonValue[] = [];
    for (let i = 0; i < count; i += 1) {
      const [a, b] = [left[leftOnly ? 0 : i] ?? null, right[rightOnly ? 0 : i] ?? null];
      const result = operate(path.operator, a, b);
      if (result === null) return false;
      results.push(result);
    }
    return results.some((result) => emit(rootDatum(result)));
  };
}

/** All values that a path finds from a datum. */
export function collect(walk: Walk, datum: Datum, effort: Effort): JsonValue[] {
  const values: JsonValue[] = [];
  walk(datum, effort, ({ value }) => {
    values.push(value);
    return false;
  });
  return values;
}

function walkComputed(compute: (value: JsonValue, effort: Effort) => JsonValue | undefined): Walk {
  return (datum, effort, emit) => {
    spend(effort);
    const result = compute(datum.value, effort);
    return result !== undefined && emit(rootDatum(result));
  };
}

/** Functions of one value; undefined means that nothing is found. */
function compileFunction(
  path: Path & { kind: 'length' | 'lower' | 'split' | 'substitute' | 'sort' },
): (value: JsonValue, effort: Effort) => JsonValue | undefined {
  switch (path.kind) {
    case 'length':
      return (value) => {
        if (typeof value === 'string') return Array.from(value).length;
        if (Array.isArray(value)) return value.length;
        return isJsonObject(value) ? Object.keys(value).length : undefined;
      };
    case 'lower':
      return (value) => typeof value === 'string' ? value.toLowerCase() : undefined;
    case 'split':
      return (value) =>
        typeof value === 'string'
          ? splitText(value, path.separator, path.maxSplit)[path.segment]
          : undefined;
    case 'substitute':
      return (value) => {
        if (typeof value !== 'string') return undefined;
        const result = path.regex.replaceAll(value, path.replacement);
        return result === value ? undefined : result;
      };
    case 'sort':
      return compileSort(path.keys);
  }
}

/** Python's `str.split`: after the given number of cuts the rest stays whole; -1 cuts everywhere. */
export function splitText(text: string, separator: string, maxSplit: number): string[] {
  const parts = text.split(separator);
  if (maxSplit < 0 || parts.length <= maxSplit + 1) return parts;
  return [...parts.slice(0, maxSplit), parts.slice(maxSplit).join(separator)];
}

function compileSort(keys: readonly SortKey[]) {
  const walks = keys.map(({ path, descending }) => ({ walk: compileWalk(path), descending }));
  return (value: JsonValue, effort: Effort): JsonValue | undefined => {
    if (isJsonObject(value)) {
      return keys.length > 0
        ? undefined
        : Object.keys(value).sort((a, b) => compareValues(a, b) ?? 0);
    }
    if (!Array.isArray(value)) return undefined;
    if (keys.length === 0) return [...value].sort((a, b) => compareValues(a, b) ?? 0);
    const rows = value.map((element) => ({
      element,
      keys: walks.map(({ walk }) => collect(walk, rootDatum(element), effort)),
    }));
    rows.sort((a, b) => {
      for (const [i, { descending }] of walks.entries()) {
        const order = compareKeys(a.keys[i] ?? [], b.keys[i] ?? []);
        if (order !== 0) return descending ? -order : order;
      }
      return 0;
    });
    return rows.map(({ element }) => element);
  };
}

/** A key counts only if it finds exactly one value on both sides. */
function compareKeys(left: readonly JsonValue[], right: readonly JsonValue[]): number {
  const [[a], [b]] = [left, right];
  if (left.length !== 1 || right.length !== 1 || a === undefined || b === undefined) return 0;
  return equal(a, b) ? 0 : compareValues(a, b) ?? 0;
}
