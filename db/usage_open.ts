import { positionOf } from '../ledger/position.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import type { Carry, WindowReading } from '../meters/window_reading.ts';
import { droppedUntil } from './archives.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import { literal } from './insert_batch.ts';
import type { Scope } from './scope.ts';
import type { SealedLog } from './sealed_until.ts';
import type { Span } from '../meters/zone.ts';
import { addUsageConditions, type UsageFilters } from './usage_series.ts';
import { hourOf } from './window_columns.ts';
import { ReadingMaker, type ReadingRow, SAMPLE_COLUMNS } from './window_readings.ts';
import { SeriesCatalogue, type WindowSeries } from './window_series.ts';
import { carriesBefore } from './windows.ts';

/** Samples, and series times spans, that one question may read outside of sealed windows. */
export const MAX_OPEN_SAMPLES = 250_000;
export const MAX_OPEN_SERIES = 50_000;

/** What the figures of one series in one span are computed from. */
export interface OpenSeries {
  readonly series: WindowSeries;
  /** The time that is asked for. */
  readonly span: Span;
  /** With those that the span goes on from, and those after it that tell of the time before them. */
  readonly readings: readonly WindowReading[];
  /** What went before the readings. */
  readonly carry: Carry | null;
  /** By the reading's id. */
  readonly metadata: ReadonlyMap<string, number>;
}

export interface OpenRequest {
  readonly scope: Scope;
  readonly filters: UsageFilters;
  readonly log: SealedLog;
  /** In order, apart. */
  readonly spans: readonly Span[];
  readonly rules: UsageRules;
  /** True if the metadata of the samples that hold at the beginning must be among the readings. */
  readonly withHeld: boolean;
}

/**
 * The samples of one log in spans of time that no sealed window answers, as they were known: series by
 * series, with what each goes on from.
 *
 * @throws {NephoError} `range_too_large`, `samples_archived`
 */
export async function readOpen(db: Queryable, request: OpenRequest): Promise<OpenSeries[]> {
  if (request.spans.length === 0) return [];
  const catalogue = new SeriesCatalogue(request.rules);
  const ids = await seriesOf(db, request);
  await catalogue.load(db, ids);
  const wanted = ids.flatMap((id) => {
    const series = catalogue.get(id);
    return request.spans.map((span) => ({ series, span, ...reachOf(series, span, request) }));
  });
  if (wanted.length > MAX_OPEN_SERIES) throw tooMuch(`${MAX_OPEN_SERIES} series`, request);
  if (wanted.length > 0) await refuseArchived(db, request);
  const carries = await carriesOf(db, request, wanted);
  const samples = await samplesOf(db, request, wanted);
  if (request.log.sealedUntil === null) samples.push(...await samplesBefore(db, request, wanted));
  const readings = await new ReadingMaker(catalogue).make(db, samples);
  const metadata = new Map(samples.map(({ id, metadata_id }) => [id, metadata_id]));
  return wanted.map(({ series, span, from, to }, index) => {
    const carry = carries[index] ?? null;
    const all = readings.get(series.series_id) ?? [];
    // Readings of another span of this series are no neighbours of these.
    const near = request.log.sealedUntil === null
      ? all
      : all.filter(({ at }) => at >= from && at < to);
    return { series, span, readings: near, carry, metadata };
  });
}

/** A span of a series, and the time that its samples are read of. */
interface Wanted extends ReadingReach {
  series: WindowSeries;
  span: Span;
}

interface ReadingReach {
  from: bigint;
  to: bigint;
}

/** Back to where a sealed window says what goes on, and on to where a sample may tell of before. */
function reachOf(series: WindowSeries, span: Span, request: OpenRequest): ReadingReach {
  const { sealedUntil } = request.log;
  const { stalenessMicros } = series.rule;
  const sealed = sealedUntil === null
    ? span.start
    : sealedUntil < span.start
    ? sealedUntil
    : hourOf(span.start);
  const isGauge = series.type === 'gauge';
  const held = request.withHeld && isGauge ? hourOf(span.start - stalenessMicros) : sealed;
  return {
    from: held < sealed ? held : sealed,
    // A reading at the very end says that the value before it did not run out.
    to: (isGauge && series.isRuled ? span.end + stalenessMicros : span.end) + 1n,
  };
}

async function seriesOf(db: Queryable, request: OpenRequest): Promise<number[]> {
  const where = new Conditions();
  addUsageConditions(where, request.scope, request.filters);
  where.equal('r.log_id', request.log.logId);
  const { rows } = await db.query<{ series_id: number }>(
    `SELECT r.series_id FROM series r WHERE ${where.sql} ORDER BY r.series_id
     LIMIT ${MAX_OPEN_SERIES + 1}`,
    where.values,
  );
  return rows.map(({ series_id }) => series_id);
}

async function samplesOf(
  db: Queryable,
  request: OpenRequest,
  wanted: readonly Wanted[],
): Promise<ReadingRow[]> {
  const [first] = wanted;
  if (first === undefined) return [];
  const from = wanted.reduce((min, one) => one.from < min ? one.from : min, first.from);
  const to = wanted.reduce((max, one) => one.to > max ? one.to : max, first.to);
  const { rows } = await db.query<ReadingRow>(
    // The bounds of all let the server look into the partitions concerned alone.
    `SELECT ${SAMPLE_COLUMNS}
     FROM unnest($5::int[], $6::timestamptz[], $7::timestamptz[]) AS t(series_id, since, until)
     JOIN samples s ON s.series_id = t.series_id AND s.ts >= t.since AND s.ts < t.until
     WHERE s.ts >= $3 AND s.ts < $4 AND s.position + 0 >= $1 AND s.position + 0 < $2
     LIMIT ${MAX_OPEN_SAMPLES + 1}`,
    [
      ...knownOf(request),
      formatMicros(from),
      formatMicros(to),
      literal(wanted.map(({ series }) => series.series_id)),
      literal(wanted.map((one) => formatMicros(one.from))),
      literal(wanted.map((one) => formatMicros(one.to))),
    ],
  );
  if (rows.length > MAX_OPEN_SAMPLES) throw tooMuch(`${MAX_OPEN_SAMPLES} samples`, request);
  // What is read around one span may be in another.
  return request.spans.length === 1
    ? rows
    : [...new Map(rows.map((row) => [row.position, row])).values()];
}

/** The last samples before each span, several if they are of one time: only where no window knows them. */
async function samplesBefore(
  db: Queryable,
  request: OpenRequest,
  wanted: readonly Wanted[],
): Promise<ReadingRow[]> {
  const { rows } = await db.query<ReadingRow>(
    `SELECT DISTINCT ON (before.position) before.*
     FROM unnest($3::int[], $4::timestamptz[]) AS t(series_id, since)
     CROSS JOIN LATERAL (
       SELECT ${SAMPLE_COLUMNS} FROM samples s
       WHERE s.series_id = t.series_id AND s.ts < t.since
         AND s.position + 0 >= $1 AND s.position + 0 < $2
       ORDER BY s.ts DESC FETCH FIRST 1 ROW WITH TIES
     ) before`,
    [
      ...knownOf(request),
      literal(wanted.map(({ series }) => series.series_id)),
      literal(wanted.map(({ from }) => formatMicros(from))),
    ],
  );
  return rows;
}

/** What the last window that was known before each span carries on. */
async function carriesOf(
  db: Queryable,
  request: OpenRequest,
  wanted: readonly Wanted[],
): Promise<(Carry | null)[]> {
  if (request.log.sealedUntil === null) return wanted.map(() => null);
  const [first, before] = knownOf(request);
  return await carriesBefore(
    db,
    wanted.map(({ series, from }) => ({ seriesId: series.series_id, before: formatMicros(from) })),
    { first, before },
  );
}

/** Without this, what is in archives alone would count as nothing. */
async function refuseArchived(db: Queryable, { spans, log }: OpenRequest): Promise<void> {
  const dropped = await droppedUntil(db);
  const first = spans[0]?.start ?? 0n;
  // The hours before the first seal are empty by that seal's word.
  if (dropped === null || first >= toMicros(dropped) || log.sealedUntil === null) return;
  throw new NephoError(
    'samples_archived',
    `Cannot compute usage at ${
      formatMicros(first)
    }: the samples before ${dropped} are in archives, ` +
      'let the range begin and end on full hours, and group by no metadata',
  );
}

function knownOf({ log }: OpenRequest): [number, number] {
  return [positionOf(log.logId, 0), log.knownBefore];
}

function tooMuch(what: string, { log }: OpenRequest): NephoError {
  const { sealedUntil } = log;
  const remedy = sealedUntil === null
    ? 'ask for a shorter range or fewer resources'
    : `let the range begin and end on full hours before ${formatMicros(sealedUntil)}, which are ` +
      'sealed, or ask for fewer resources';
  return new NephoError(
    'range_too_large',
    `Cannot compute usage from more than ${what} outside of sealed hours: ${remedy}`,
  );
}
