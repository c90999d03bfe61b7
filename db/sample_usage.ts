import { seriesKey } from '../ledger/identity.ts';
import { logOfPosition, positionOf } from '../ledger/position.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { knownBefore, type LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { StoredSample } from './sample_rows.ts';
import { readSealedState } from './sealed_until.ts';
import { hourOf } from './window_columns.ts';

/** Why a sample counts in no statement, or not yet. */
export const USAGE_REASONS = [
  'hour_open',
  'awaiting_revision',
  'no_project',
  'no_statement',
  'awaiting_amendment',
  'no_line',
] as const;
export type UsageReason = (typeof USAGE_REASONS)[number];

/** Where a sample counts. */
export interface SampleUsage {
  /** Key of its series. */
  readonly series: string;
  /** First instant of its hour. */
  readonly start: string;
  /** The versions of its hour's window, the sealed one first. */
  readonly revisions: readonly CountingRevision[];
  /** Lines of statements that it is in, the oldest number first. */
  readonly lines: readonly CountingLine[];
  /** Null if it is in a line of a statement. */
  readonly reason: UsageReason | null;
}

export interface CountingRevision {
  readonly revision: number;
  /** Place of the entry that vouches for it. */
  readonly position: number;
  /** True if the sample is in it; the first versions may be older. */
  readonly counts: boolean;
}

export interface CountingLine {
  readonly projectId: string;
  readonly period: string;
  readonly number: number;
  readonly line: number;
}

/** Samples that one call explains, and lines of each. */
export const MAX_EXPLAINED_SAMPLES = 100;
const MAX_LINES = 1_000;

/** Where each of some samples counts, in their order: the caller has seen to it that they may be seen. */
export async function usageOfSamples(
  db: Queryable,
  samples: readonly StoredSample[],
  sizes: LogSizes,
): Promise<SampleUsage[]> {
  const [first] = samples;
  if (first === undefined) return [];
  return await withDatabaseErrors('explain the usage of samples', async () => {
    const asked = samples.map(askedOf);
    const revisions = await revisionsOf(db, asked, sizes);
    const lines = await linesOf(db, asked, sizes);
    const at = toMicros(first.sample.timestamp);
    const { logs } = await readSealedState(db, sizes, { start: at, end: at + 1n });
    const sealed = new Map(logs.map(({ logId, sealedUntil }) => [logId, sealedUntil]));
    return asked.map((one, index): SampleUsage => {
      const own = revisions[index] ?? [];
      const counting = own.find(({ counts }) => counts)?.position ?? null;
      const found = lines[index] ?? [];
      const included = found.filter(({ coversTo }) => counting !== null && counting < coversTo);
      const isSealed = toMicros(one.start) < (sealed.get(one.logId) ?? 0n);
      return {
        series: one.key,
        start: one.start,
        revisions: own,
        lines: included.flatMap(({ line, ...name }) => line === null ? [] : [{ ...name, line }]),
        reason: reasonOf({
          isSealed,
          isCounted: counting !== null,
          hasProject: one.projectId !== null,
          statements: found,
          included,
        }),
      };
    });
  });
}

interface Asked {
  key: string;
  start: string;
  timestamp: string;
  logId: number;
  position: number;
  projectId: string | null;
  meter: string;
  type: string;
  unit: string;
  resourceId: string;
}

function askedOf({ sample, logId, leafIndex }: StoredSample): Asked {
  return {
    key: seriesKey(logId, sample),
    start: formatMicros(hourOf(toMicros(sample.timestamp))),
    timestamp: sample.timestamp,
    logId,
    position: positionOf(logId, leafIndex),
    projectId: sample.project_id,
    meter: sample.meter,
    type: sample.type,
    unit: sample.unit,
    resourceId: sample.resource_id,
  };
}

async function revisionsOf(
  db: Queryable,
  asked: readonly Asked[],
  sizes: LogSizes,
): Promise<CountingRevision[][]> {
  const before = new Map(sizes.map((log) => [log.logId, knownBefore(log)]));
  const { rows } = await db.query<
    { n: bigint; revision: number; position: bigint; covers_to: bigint }
  >(
    `SELECT t.n, w.revision, w.position, coalesce(s.covers_to, v.covers_to, 0) AS covers_to
     FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[])
       WITH ORDINALITY AS t(key, start, known_before, n)
     JOIN series r USING (key)
     JOIN windows w ON w.series_id = r.series_id AND w.start = t.start
     LEFT JOIN seals s ON s.position = w.position
     LEFT JOIN revisions v ON v.position = w.position
     WHERE w.position + 0 < t.known_before
     ORDER BY t.n, w.revision`,
    [
      asked.map(({ key }) => key),
      asked.map(({ start }) => start),
      asked.map(({ logId }) => before.get(logId) ?? 0),
    ],
  );
  const found: CountingRevision[][] = asked.map(() => []);
  for (const { n, revision, position, covers_to } of rows) {
    const index = Number(n) - 1;
    const { logId = 0, position: leaf = 0 } = asked[index] ?? {};
    const counts = leaf < positionOf(logId, Number(covers_to));
    found[index]?.push({ revision, position: Number(position), counts });
  }
  return found;
}

/** A statement of the sample's time, with the line that its series belongs to, if there is one. */
interface CoveringStatement {
  projectId: string;
  period: string;
  number: number;
  line: number | null;
  /** Place in the sample's log up to which the statement knew it. */
  coversTo: number;
}

async function linesOf(
  db: Queryable,
  asked: readonly Asked[],
  sizes: LogSizes,
): Promise<CoveringStatement[][]> {
  const known = new Map(sizes.map((log) => [log.logId, knownBefore(log)]));
  const { rows } = await db.query<
    {
      n: bigint;
      project_id: string;
      period: string;
      number: number;
      line: number | null;
      position: bigint;
      covers: { origin: string; size: number }[];
    }
  >(
    `SELECT t.n, s.project_id, s.period, s.number, l.line, s.position,
       s.document::json -> 'covers' AS covers
     FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
       WITH ORDINALITY AS t(project_id, at, meter, type, unit, resource_id, n)
     JOIN statements s ON s.project_id = t.project_id AND s.start <= t.at AND s."end" > t.at
     LEFT JOIN statement_lines l ON l.project_id = s.project_id AND l.period = s.period
       AND l.number = s.number AND l.meter = t.meter AND l.type = t.type AND l.unit = t.unit
       AND (l.resource_id = t.resource_id OR l.resource_id IS NULL)
     ORDER BY t.n, s.start, s.number, l.line LIMIT ${MAX_LINES}`,
    [
      asked.map(({ projectId }) => projectId),
      asked.map(({ timestamp }) => timestamp),
      asked.map(({ meter }) => meter),
      asked.map(({ type }) => type),
      asked.map(({ unit }) => unit),
      asked.map(({ resourceId }) => resourceId),
    ],
  );
  const origins = new Map(sizes.map(({ logId, origin }) => [logId, origin]));
  const found: CoveringStatement[][] = asked.map(() => []);
  for (const { n, project_id, period, number, line, position, covers } of rows) {
    const index = Number(n) - 1;
    const logId = asked[index]?.logId ?? 0;
    if (Number(position) >= (known.get(logOfPosition(Number(position))) ?? 0)) continue;
    const size = covers.find(({ origin }) => origin === origins.get(logId))?.size ?? 0;
    const coversTo = positionOf(logId, size);
    found[index]?.push({ projectId: project_id, period, number, line, coversTo });
  }
  return found;
}

function reasonOf({ isSealed, isCounted, hasProject, statements, included }: {
  isSealed: boolean;
  isCounted: boolean;
  hasProject: boolean;
  statements: readonly CoveringStatement[];
  included: readonly CoveringStatement[];
}): UsageReason | null {
  if (included.some(({ line }) => line !== null)) return null;
  if (!isCounted) return isSealed ? 'awaiting_revision' : 'hour_open';
  if (!hasProject) return 'no_project';
  if (included.length > 0) return 'no_line';
  return statements.length > 0 ? 'awaiting_amendment' : 'no_statement';
}

/** The hour after the one that begins at `start`. */
export function endOfHour(start: string): string {
  return formatMicros(toMicros(start) + HOUR_MICROS);
}
