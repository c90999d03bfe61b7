import { NephoError } from '../meters/errors.ts';
import { isCanonicalTimestamp } from '../meters/timestamp.ts';
import { addKnownCondition, type LogSizes } from './as_of.ts';
import type { Conditions } from './conditions.ts';
import type { Scope } from './scope.ts';

export type MetadataScalar = string | number | boolean | null;

/** Which samples: all conditions must hold; undefined asks for nothing. */
export interface SampleFilters {
  meter?: string | undefined;
  resourceId?: string | undefined;
  /** Null: samples without a project. */
  projectId?: string | null | undefined;
  userId?: string | null | undefined;
  source?: string | undefined;
  /** Canonical timestamps, `from` included, `to` excluded. */
  from?: string | undefined;
  to?: string | undefined;
  /**
   * Equality of values in the metadata by their path: `flavor.name` is the key `name` of `flavor` or the
   * key `flavor.name`. With a list, any of its values.
   */
  metadata?: Readonly<Record<string, MetadataScalar | readonly MetadataScalar[]>> | undefined;
  /** Only what was known then; everything unless given. */
  known?: LogSizes | undefined;
}

/** Adds what `filters` and `scope` ask of the table `series`, known as `r`. */
export function addSeriesConditions(
  where: Conditions,
  scope: Scope,
  filters: SampleFilters,
): void {
  if (scope !== 'all') where.equal('r.project_id', scope.projectId);
  where.equal('r.project_id', filters.projectId);
  where.equal('r.meter', filters.meter);
  where.equal('r.resource_id', filters.resourceId);
  where.equal('r.user_id', filters.userId);
  where.equal('r.source', filters.source);
}

/** Adds `from`, `to` and `known` on `samples`, known as `s`. @throws {NephoError} `timestamp_invalid` */
export function addTimeConditions(where: Conditions, filters: SampleFilters): void {
  checkSpan(filters);
  if (filters.from !== undefined) where.add(`s.ts >= ${where.bind(filters.from)}`);
  if (filters.to !== undefined) where.add(`s.ts < ${where.bind(filters.to)}`);
  addKnown(where, filters);
}

/** Adds `known` alone. */
export function addKnown(where: Conditions, { known }: SampleFilters): void {
  if (known !== undefined) addKnownCondition(where, 's.position', known);
}

/** True if {@link addMetadataConditions} needs the table `metadata`, known as `m`. */
export function hasMetadataFilter(filters: SampleFilters): boolean {
  return Object.keys(filters.metadata ?? {}).length > 0;
}

export function addMetadataConditions(where: Conditions, filters: SampleFilters): void {
  for (const [path, wanted] of Object.entries(filters.metadata ?? {})) {
    const values: readonly MetadataScalar[] = Array.isArray(wanted) ? wanted : [wanted];
    const documents = values.flatMap((value) => documentsWith(path.split('.'), value));
    // A text may hold the escape of NUL, which jsonb refuses: such a value matches nothing asked for.
    where.add(
      `replace(m.body, '\\u0000', '\\ufffd')::jsonb @> ANY(${where.bind(documents)}::jsonb[])`,
    );
  }
}

/** @throws {NephoError} `timestamp_invalid` for bounds that are not canonical */
export function checkSpan({ from, to }: SampleFilters): void {
  for (const bound of [from, to]) {
    if (bound === undefined || isCanonicalTimestamp(bound)) continue;
    throw new NephoError(
      'timestamp_invalid',
      `Cannot search up to or from '${bound.slice(0, 40)}': write 2026-01-31T23:59:59.123456Z`,
    );
  }
}

/** Levels of a metadata path beyond which dots are taken as part of the last key. */
const MAX_PATH = 6;

/** JSON documents, each with `value` under one reading of the dots of a path. */
function documentsWith(keys: readonly string[], value: MetadataScalar): string[] {
  const readings = keys.length > MAX_PATH ? [[keys.join('.')]] : groupings(keys);
  return readings.map((path) =>
    path.reduceRight((inner, key) => `{${JSON.stringify(key)}:${inner}}`, JSON.stringify(value))
  );
}

/** `a, b, c` as [a, b, c], [a.b, c], [a, b.c] and [a.b.c]. */
function groupings([first = '', ...rest]: readonly string[]): string[][] {
  if (rest.length === 0) return [[first]];
  return groupings(rest).flatMap(([head = '', ...tail]) => [
    [first, head, ...tail],
    [`${first}.${head}`, ...tail],
  ]);
}
