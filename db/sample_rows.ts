import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import type { JsonObject } from '../meters/json.ts';
import type { MeterType, Sample } from '../meters/sample.ts';

/** A sample as stored: its wire form, and what leads from it to its proof and its cause. */
export interface StoredSample {
  sample: Sample;
  logId: number;
  /** Its leaf in that log. */
  leafIndex: number;
  /** The origin id of its notification. */
  origin: string;
  /** Ordinal among the samples of the same meter and resource in that notification. */
  index: number;
  /** Digest of the definition set that made it, 64 hexadecimal digits. */
  definitions: string;
}

/** What {@link storedSample} reads. */
export interface SampleRow {
  position: bigint;
  ts: string;
  id: string;
  ordinal: number | null;
  volume: string;
  meter: string;
  type: MeterType;
  unit: string;
  project_id: string | null;
  user_id: string | null;
  resource_id: string;
  source: string;
  metadata: string;
  origin: string;
  recorded_at: string;
  definitions: string;
}

/**
 * Completes rows of `samples` by what they refer to. `page` is a query that gives such rows, already
 * cut to the few that are wanted; `more` is a list of further columns, each with a comma before it, of the
 * sample `s`, its series `r`, its origin `o` and others that the text names.
 */
export function completeRows(page: string, orderBy: string, more = ''): string {
  return `
    SELECT s.position, s.ts, replace(s.id::text, '-', '') AS id, s.ordinal, s.volume,
      r.meter, r.type, r.unit, r.project_id, r.user_id, r.resource_id, r.source,
      m.body AS metadata, o.origin, b.recorded_at, encode(d.digest, 'hex') AS definitions${more}
    FROM (${page}) s
    JOIN series r USING (series_id)
    JOIN metadata m USING (metadata_id)
    JOIN origins o USING (origin_id)
    CROSS JOIN LATERAL (
      SELECT recorded_at, definition_set_id FROM batches
      WHERE batches.position <= s.position ORDER BY batches.position DESC LIMIT 1
    ) b
    JOIN definition_sets d USING (definition_set_id)
    ORDER BY ${orderBy}`;
}

export function storedSample(row: SampleRow): StoredSample {
  const position = Number(row.position);
  return {
    sample: {
      id: row.id,
      meter: row.meter,
      type: row.type,
      unit: row.unit,
      volume: row.volume,
      resource_id: row.resource_id,
      project_id: row.project_id,
      user_id: row.user_id,
      source: row.source,
      timestamp: row.ts,
      recorded_at: row.recorded_at,
      metadata: JSON.parse(row.metadata) as JsonObject,
    },
    logId: logOfPosition(position),
    leafIndex: leafOfPosition(position),
    origin: row.origin,
    index: row.ordinal ?? 0,
    definitions: row.definitions,
  };
}
