import type { JsonValue } from './json.ts';
import type { Regex } from './path_regex.ts';

/** A parsed path. Every node maps one datum to a list of data, as in jsonpath-rw. */
export type Path =
  | { kind: 'root' }
  | { kind: 'this' }
  | { kind: 'parent' }
  /** Fields of an object; `*` among the names means all of them. */
  | { kind: 'fields'; names: readonly string[] }
  | { kind: 'index'; index: number }
  /** A part of a list; `[*]` has neither bound. Anything but a list counts as a list of one. */
  | { kind: 'slice'; start: number | null; end: number | null }
  | { kind: 'child' | 'descendants' | 'where' | 'union'; left: Path; right: Path }
  | { kind: 'filter'; tests: readonly PathTest[] }
  | { kind: 'sort'; keys: readonly SortKey[] }
  | { kind: 'operation'; operator: Operator; left: Path; right: Path }
  | { kind: 'literal'; value: JsonValue }
  | PathFunction;

export type Operator = '+' | '-' | '*' | '/';

export type PathFunction =
  | { kind: 'length' }
  /** Ours: the text in lower case. */
  | { kind: 'lower' }
  | { kind: 'split'; separator: string; segment: number; maxSplit: number }
  | { kind: 'substitute'; regex: Regex; replacement: readonly (string | number)[] };

export interface SortKey {
  path: Path;
  descending: boolean;
}

/** One condition of a filter; without an operator: that the path finds something. */
export interface PathTest {
  path: Path;
  comparison: Comparison | null;
}

export type Comparison =
  | { operator: '=' | '!=' | '<' | '<=' | '>' | '>='; value: JsonValue; cast: boolean }
  | { operator: '~'; regex: Regex };
