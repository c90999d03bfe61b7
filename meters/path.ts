import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { compileWalk, type Datum, type Effort } from './path_compile.ts';
import { parsePath } from './path_parser.ts';
import type { Path } from './path_syntax.ts';

/** A value that a path found, with its way from the root, written as in `payload.metrics.[0].name`. */
export interface Match {
  readonly way: string;
  readonly value: JsonValue;
}

/** A path ready for use. `from` is the datum it starts at: the notification, or an element of it. */
export interface CompiledPath {
  /** The first value that is not null; null if there is none. */
  first(from: Datum, effort: Effort): JsonValue;
  /** All data found, null values among them, at most `limit`. */
  all(from: Datum, effort: Effort, limit: number): Datum[];
}

type Getter = (value: JsonValue) => JsonValue | undefined;

/**
 * Reads and compiles a path.
 *
 * @example
 * compilePath('$.payload.size').first(rootDatum({ payload: { size: 5 } }), { steps: 100 }); // 5
 *
 * @throws {NephoError} `path_invalid`, with `offset` (UTF-16 units) and `remedy` in its context
 */
export function compilePath(text: string): CompiledPath {
  return compileParsed(parsePath(text));
}

/** One path that finds what the first finds, then what the second finds, and so on. */
export function compileUnion(paths: readonly Path[]): CompiledPath {
  return compileParsed(paths.reduce((left, right) => ({ kind: 'union', left, right })));
}

function compileParsed(path: Path): CompiledPath {
  const walk = compileWalk(path);
  const steps = plainSteps(path);
  const getter = steps === null ? null : compileGetter(steps.names);
  const first = (from: Datum, effort: Effort): JsonValue => {
    let result: JsonValue = null;
    walk(from, effort, ({ value }) => {
      result = value;
      return value !== null;
    });
    return result;
  };
  return {
    // The way of nearly every path, `$.payload.tenant_id`: no datum is made on it.
    first: getter === null || steps === null
      ? first
      : (from, effort) =>
        steps.fromRoot && from.parent !== null ? first(from, effort) : getter(from.value) ?? null,
    all(from, effort, limit) {
      const found: Datum[] = [];
      walk(from, effort, (datum) => found.push(datum) >= limit);
      return found;
    },
  };
}

/** The way to a datum without its root, as plugins name it. */
export function wayOf(datum: Datum): string {
  const parts: string[] = [];
  for (let at: Datum | null = datum; at !== null && at.parent !== null; at = at.parent) {
    parts.push(typeof at.key === 'number' ? `[${at.key}]` : String(at.key));
  }
  return parts.reverse().join('.');
}

function plainSteps(path: Path): { names: string[]; fromRoot: boolean } | null {
  if (path.kind === 'root') return { names: [], fromRoot: true };
  if (path.kind === 'this') return { names: [], fromRoot: false };
  if (path.kind === 'fields') {
    const [name, ...more] = path.names;
    if (name === undefined || name === '*' || more.length > 0) return null;
    return { names: [name], fromRoot: false };
  }
  if (path.kind !== 'child') return null;
  const [left, right] = [plainSteps(path.left), plainSteps(path.right)];
  if (left === null || right === null || right.fromRoot) return null;
  return { names: [...left.names, ...right.names], fromRoot: left.fromRoot };
}

function compileGetter(names: readonly string[]): Getter {
  return names.reduceRight<Getter>(
    (rest, name) => {
      const inherited = name in Object.prototype;
      return (value) => {
        if (!isJsonObject(value)) return undefined;
        const field = inherited ? ownField(value, name) : value[name];
        return field === undefined ? undefined : rest(field);
      };
    },
    (value) => value,
  );
}

/** `constructor` and its like are fields of a notification only if it sent them. */
function ownField(value: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
