/** The samples of a log as windows read them: as of a size of the log, with what their rules ask for. */
import { positionOf } from '../ledger/position.ts';
import type { JsonObject } from '../meters/json.ts';
import { readingOf } from '../meters/usage_rules.ts';
import type { WindowReading } from '../meters/window_reading.ts';
import { formatMicros } from '../meters/timestamp.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { literal } from './insert_batch.ts';
import type { SeriesCatalogue } from './window_series.ts';

/** A sample, as little of it as windows need. */
export interface ReadingRow {
  series_id: number;
  /** Microseconds since 1970. */
  at: bigint;
  volume: string;
  id: string;
  position: number;
  origin_id: number;
  metadata_id: number;
}

/** The leaves of a log before `size`: what is known of it. */
export interface KnownLeaves {
  logId: number;
  size: number;
}

/** Half-open, in microseconds since 1970. */
export interface ReadingSpan {
  from: bigint;
  to: bigint;
}

/** Readings by the number of their series, in no order. */
export type ReadingsBySeries = Map<number, WindowReading[]>;

/** The columns of a {@link ReadingRow}, of `samples` known as `s`. */
export const SAMPLE_COLUMNS =
  `s.series_id, (extract(epoch FROM s.ts) * 1000000)::bigint AS at, s.volume, s.id,
  s.position::float8 AS position, s.origin_id::float8 AS origin_id, s.metadata_id`;
const KNOWN = 's.position >= $1 AND s.position < $2';

/** All samples of a span of time. */
export async function samplesOf(
  db: Queryable,
  known: KnownLeaves,
  { from, to }: ReadingSpan,
): Promise<ReadingRow[]> {
  return await withDatabaseErrors('read the samples of an hour', async () => {
    const { rows } = await db.query<ReadingRow>(
      `SELECT ${SAMPLE_COLUMNS} FROM samples s WHERE s.ts >= $3 AND s.ts < $4 AND ${KNOWN}`,
      [...leavesOf(known), formatMicros(from), formatMicros(to)],
    );
    return rows;
  });
}

/** Series that are looked up one by one, rather than all samples of their time being read. */
const MAX_LOOKUPS = 100;
const MAX_READ_THROUGH = 7n * 86_400_000_000n;

/**
 * The samples of some series, each within a span of its own. Which way is told here and not left to the
 * planner, whose statistics do not know the newest samples.
 */
export async function samplesOfSpans(
  db: Queryable,
  known: KnownLeaves,
  spans: readonly (ReadingSpan & { seriesId: number })[],
): Promise<ReadingRow[]> {
  if (spans.length === 0) return [];
  const from = spans.reduce((min, span) => span.from < min ? span.from : min, spans[0]?.from ?? 0n);
  const to = spans.reduce((max, span) => span.to > max ? span.to : max, 0n);
  const oneByOne = spans.length <= MAX_LOOKUPS || to - from > MAX_READ_THROUGH;
  return await withDatabaseErrors('read the samples of some series', async () => {
    const { rows } = await db.query<ReadingRow>(oneByOne ? ONE_BY_ONE : READ_THROUGH, [
      ...leavesOf(known),
      formatMicros(from),
      formatMicros(to),
      literal(spans.map(({ seriesId }) => seriesId)),
      literal(spans.map((span) => formatMicros(span.from))),
      literal(spans.map((span) => formatMicros(span.to))),
    ]);
    return rows;
  });
}

const SPANS =
  'unnest($5::int[], $6::timestamptz[], $7::timestamptz[]) AS t(series_id, since, until)';
// The span of all lets the server look into the partitions concerned alone.
const WITHIN = `s.ts >= $3 AND s.ts < $4 AND ${KNOWN}`;

const ONE_BY_ONE = `SELECT s.* FROM ${SPANS} CROSS JOIN LATERAL (
    SELECT ${SAMPLE_COLUMNS} FROM samples s
    WHERE s.series_id = t.series_id AND s.ts >= t.since AND s.ts < t.until AND ${WITHIN} OFFSET 0
  ) s`;
const READ_THROUGH =
  `WITH s AS MATERIALIZED (SELECT s.ts, ${SAMPLE_COLUMNS} FROM samples s WHERE ${WITHIN})
  SELECT s.series_id, s.at, s.volume, s.id, s.position, s.origin_id, s.metadata_id
  FROM s JOIN ${SPANS} ON s.series_id = t.series_id AND s.ts >= t.since AND s.ts < t.until`;

/**
 * The first samples, several if they are of one time, within a span of time, of the series of the given
 * meters; or of those of `seriesIds`, if given.
 */
export async function firstSamplesOf(
  db: Queryable,
  known: KnownLeaves,
  wanted: ReadingSpan & { meters: readonly string[]; seriesIds?: readonly number[] },
): Promise<ReadingRow[]> {
  if (wanted.meters.length === 0 || wanted.seriesIds?.length === 0) return [];
  const values: unknown[] = [
    ...leavesOf(known),
    formatMicros(wanted.from),
    formatMicros(wanted.to),
    wanted.meters,
  ];
  if (wanted.seriesIds !== undefined) values.push(literal(wanted.seriesIds));
  return await withDatabaseErrors('read the first samples after an hour', async () => {
    const { rows } = await db.query<ReadingRow>(
      // Not by joining the firsts to the samples: without statistics that is a loop over all pairs.
      `SELECT f.series_id, f.at, f.volume, f.id, f.position, f.origin_id, f.metadata_id
       FROM (
         SELECT ${SAMPLE_COLUMNS}, rank() OVER (PARTITION BY s.series_id ORDER BY s.ts) AS rank
         FROM samples s JOIN series r USING (series_id)
         WHERE s.ts >= $3 AND s.ts < $4 AND ${KNOWN} AND r.meter = ANY($5::text[])
           ${wanted.seriesIds === undefined ? '' : 'AND s.series_id = ANY($6::int[])'}
       ) f WHERE f.rank = 1`,
      values,
    );
    return rows;
  });
}

/** What the rules ask of metadata: the text of each key that any rule names. */
type MetadataTexts = ReadonlyMap<string, string | null>;

/** Remembered metadata at most; beyond it they are forgotten all at once. */
const MAX_METADATA = 100_000;

/** Completes samples by what the rules of their meters ask for. Their series must be loaded. */
export class ReadingMaker {
  readonly #catalogue: SeriesCatalogue;
  readonly #metadata = new Map<number, MetadataTexts>();

  constructor(catalogue: SeriesCatalogue) {
    this.#catalogue = catalogue;
  }

  async make(db: Queryable, samples: readonly ReadingRow[]): Promise<ReadingsBySeries> {
    const ruled = samples.filter(({ series_id }) => this.#catalogue.get(series_id).isRuled);
    const eventTypes = await this.#endingEventTypes(db, ruled);
    await this.#loadMetadata(db, ruled);
    const readings: ReadingsBySeries = new Map();
    for (const { series_id, at, volume, id, origin_id, metadata_id } of samples) {
      const { rule, isRuled } = this.#catalogue.get(series_id);
      const texts = isRuled ? this.#metadata.get(metadata_id) : undefined;
      const reading = readingOf(rule, {
        at,
        volume,
        id,
        eventType: eventTypes.get(origin_id) ?? null,
        since: texts?.get(rule.sinceKey ?? '') ?? null,
        until: texts?.get(rule.untilKey ?? '') ?? null,
      });
      const list = readings.get(series_id);
      if (list === undefined) readings.set(series_id, [reading]);
      else list.push(reading);
    }
    return readings;
  }

  /** Event types by origin, of the few that end what any of the samples is about. */
  async #endingEventTypes(
    db: Queryable,
    samples: readonly ReadingRow[],
  ): Promise<Map<number, string>> {
    if (samples.length === 0) return new Map();
    const rules = new Set(samples.map(({ series_id }) => this.#catalogue.get(series_id).rule));
    return await withDatabaseErrors('read what ended', async () => {
      const known = await db.query<{ event_type_id: number; name: string }>(
        'SELECT event_type_id, name FROM event_types',
      );
      const ending = known.rows.filter(({ name }) =>
        [...rules].some(({ ends }) => ends.matches(name))
      );
      if (ending.length === 0) return new Map();
      const { rows } = await db.query<{ origin_id: bigint; name: string }>({
        name: 'ending_origins',
        text: `SELECT origin_id, name FROM origins JOIN event_types USING (event_type_id)
               WHERE origin_id = ANY($1::bigint[]) AND event_type_id = ANY($2::int[])`,
        values: [
          literal([...new Set(samples.map(({ origin_id }) => origin_id))]),
          literal(ending.map(({ event_type_id }) => event_type_id)),
        ],
      });
      return new Map(rows.map(({ origin_id, name }) => [Number(origin_id), name]));
    });
  }

  async #loadMetadata(db: Queryable, samples: readonly ReadingRow[]): Promise<void> {
    if (this.#metadata.size > MAX_METADATA) this.#metadata.clear();
    const keys = new Set<string>();
    const ids = new Set<number>();
    for (const { series_id, metadata_id } of samples) {
      const { sinceKey, untilKey } = this.#catalogue.get(series_id).rule;
      for (const key of [sinceKey, untilKey]) if (key !== null) keys.add(key);
      if (!this.#metadata.has(metadata_id)) ids.add(metadata_id);
    }
    if (ids.size === 0 || keys.size === 0) return;
    await withDatabaseErrors('read what metadata say of life and death', async () => {
      for (const { metadata_id, texts } of await readTexts(db, [...ids], this.#catalogue.keys)) {
        this.#metadata.set(metadata_id, texts);
      }
    });
  }
}

/** A NUL cannot be a text of PostgreSQL, so that metadata with one are read here. */
async function readTexts(
  db: Queryable,
  ids: readonly number[],
  keys: readonly string[],
): Promise<{ metadata_id: number; texts: MetadataTexts }[]> {
  const { rows } = await db.query<
    { metadata_id: number; texts: (string | null)[] | null; body: string | null }
  >({
    name: 'metadata_texts',
    text: `SELECT metadata_id,
             CASE WHEN has_nul THEN NULL ELSE
               ARRAY(SELECT body::json ->> key FROM unnest($2::text[]) WITH ORDINALITY AS t(key, n) ORDER BY n)
             END AS texts,
             CASE WHEN has_nul THEN body END AS body
           FROM (SELECT metadata_id, body, strpos(body, '\\u0000') > 0 AS has_nul
                 FROM metadata WHERE metadata_id = ANY($1::int[])) m`,
    values: [literal(ids), keys],
  });
  return rows.map(({ metadata_id, texts, body }) => ({
    metadata_id,
    texts: new Map(keys.map((key, index) => [key, texts?.[index] ?? textOf(body, key)])),
  }));
}

function textOf(body: string | null, key: string): string | null {
  const value = body === null ? null : (JSON.parse(body) as JsonObject)[key];
  return typeof value === 'string' ? value : null;
}

function leavesOf({ logId, size }: KnownLeaves): [number, number] {
  return [positionOf(logId, 0), positionOf(logId, size)];
}
