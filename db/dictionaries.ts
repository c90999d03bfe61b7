/**
 * The dictionaries that keep a sample's row small: event types, series and metadata are written once
 * and referred to by number. Each function finds or makes all that it is asked for in one statement,
 * outside the ingest's transaction: an entry that no sample came to use does no harm.
 */
import type { Pool, QueryConfig } from 'pg';
import { assert } from '../meters/assert.ts';
import type { MeterType } from '../meters/sample.ts';

/** What a series is, within its log. */
export interface SeriesIdentity {
  /** 32 hexadecimal digits, derived from all the rest. */
  key: string;
  meter: string;
  type: MeterType;
  unit: string;
  project_id: string | null;
  user_id: string | null;
  resource_id: string;
  source: string;
}

export interface MetadataBody {
  /** 64 hexadecimal digits: SHA-256 of `body`. */
  digest: string;
  /** Canonical JSON. */
  body: string;
}

const FIND_OR_MAKE_SERIES = `
  WITH wanted AS (
    SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
      AS t(key, meter, type, unit, project_id, user_id, resource_id, source)
  ), made AS (
    INSERT INTO series (key, log_id, meter, type, unit, project_id, user_id, resource_id, source)
    SELECT key, $1::smallint, meter, type, unit, project_id, user_id, resource_id, source FROM wanted
    ON CONFLICT (key) DO NOTHING
    RETURNING key, series_id
  )
  SELECT replace(key::text, '-', '') AS key, series_id AS id FROM made
  UNION ALL
  SELECT replace(s.key::text, '-', ''), s.series_id FROM series s JOIN wanted USING (key)`;

/** The numbers of the series, in the order asked for; keys must differ. */
export async function findOrMakeSeries(
  pool: Pool,
  logId: number,
  wanted: readonly SeriesIdentity[],
): Promise<number[]> {
  return await findOrMake(pool, wanted.map((series) => series.key), {
    name: 'find_or_make_series',
    text: FIND_OR_MAKE_SERIES,
    values: [
      logId,
      wanted.map((series) => series.key),
      wanted.map((series) => series.meter),
      wanted.map((series) => series.type),
      wanted.map((series) => series.unit),
      wanted.map((series) => series.project_id),
      wanted.map((series) => series.user_id),
      wanted.map((series) => series.resource_id),
      wanted.map((series) => series.source),
    ],
  });
}

const FIND_OR_MAKE_METADATA = `
  WITH wanted AS (SELECT * FROM unnest($1::bytea[], $2::text[]) AS t(digest, body)),
  made AS (
    INSERT INTO metadata (digest, body) SELECT digest, body FROM wanted
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest, metadata_id
  )
  SELECT encode(digest, 'hex') AS key, metadata_id AS id FROM made
  UNION ALL
  SELECT encode(m.digest, 'hex'), m.metadata_id FROM metadata m JOIN wanted USING (digest)`;

/** The numbers of the metadata, in the order asked for; digests must differ. */
export async function findOrMakeMetadata(
  pool: Pool,
  wanted: readonly MetadataBody[],
): Promise<number[]> {
  return await findOrMake(pool, wanted.map((one) => one.digest), {
    name: 'find_or_make_metadata',
    text: FIND_OR_MAKE_METADATA,
    values: [wanted.map((one) => `\\x${one.digest}`), wanted.map((one) => one.body)],
  });
}

const FIND_OR_MAKE_EVENT_TYPES = `
  WITH wanted AS (SELECT * FROM unnest($1::text[]) AS t(name)),
  made AS (
    INSERT INTO event_types (name) SELECT name FROM wanted
    ON CONFLICT (name) DO NOTHING
    RETURNING name, event_type_id
  )
  SELECT name AS key, event_type_id AS id FROM made
  UNION ALL
  SELECT e.name, e.event_type_id FROM event_types e JOIN wanted USING (name)`;

/** The numbers of the event types, in the order asked for; names must differ. */
export async function findOrMakeEventTypes(
  pool: Pool,
  names: readonly string[],
): Promise<number[]> {
  return await findOrMake(pool, names, {
    name: 'find_or_make_event_types',
    text: FIND_OR_MAKE_EVENT_TYPES,
    values: [names],
  });
}

/**
 * Runs a find-or-make statement until it names every key. Another shard may commit a key between our
 * statement's snapshot and its insert: that key is then neither made nor seen, but is at the next try.
 */
async function findOrMake(
  pool: Pool,
  keys: readonly string[],
  query: QueryConfig,
): Promise<number[]> {
  for (let attempt = 1;; attempt += 1) {
    const found = await pool.query<{ key: string; id: number }>(query);
    const ids = new Map(found.rows.map((row) => [row.key, row.id]));
    if (keys.every((key) => ids.has(key))) return keys.map((key) => ids.get(key) ?? 0);
    assert(attempt < 5, `'${query.name}' finds or makes all of ${keys.length} keys`);
  }
}
