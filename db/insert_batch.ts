/** The rows of one batch, written by one statement a table inside the log writer's transaction. */
import type { PoolClient } from 'pg';
import { positionOf } from '../ledger/position.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import type { LogHead } from './log_head.ts';
import { ORIGIN_OUTCOMES } from './prepared_batch.ts';
import type { PreparedBatch, PreparedOrigin, PreparedReject } from './prepared_batch.ts';

/** The notifications of a batch by what the log knows of them. */
export interface SortedOrigins {
  fresh: PreparedOrigin[];
  /** Known, with the same content. */
  duplicates: PreparedOrigin[];
  /** Known, with other content. */
  conflicts: PreparedOrigin[];
}

/** Looks up each origin under the log's lock; of two in one batch the first is the fresh one. */
export async function sortOrigins(tx: PoolClient, batch: PreparedBatch): Promise<SortedOrigins> {
  const known = new Map<string, string>();
  if (batch.origins.length > 0) {
    const found = await tx.query<{ key: string; content: string }>({
      name: 'known_origins',
      text: `SELECT replace(key::text, '-', '') AS key, content::text AS content
             FROM origins WHERE key = ANY($1::uuid[])`,
      values: [literal(batch.origins.map((one) => one.key))],
    });
    for (const row of found.rows) known.set(row.key, row.content);
  }
  const sorted: SortedOrigins = { fresh: [], duplicates: [], conflicts: [] };
  for (const one of batch.origins) {
    const content = known.get(one.key);
    if (content === undefined) {
      known.set(one.key, one.content);
      sorted.fresh.push(one);
    } else {
      (content === one.content ? sorted.duplicates : sorted.conflicts).push(one);
    }
  }
  return sorted;
}

/** Writes the rows. @returns how many messages entered the quarantine for the first time */
export async function insertBatch(
  tx: PoolClient,
  head: LogHead,
  batch: PreparedBatch,
  sorted: SortedOrigins,
): Promise<number> {
  const rejects = [...batch.rejects, ...sorted.conflicts.map(conflictReject)];
  await insertOrigins(tx, head, sorted.fresh, batch.recordedAt);
  await insertSamples(tx, head, sorted.fresh);
  await insertBatchRow(tx, head, batch, sorted.fresh);
  await countEvents(tx, head.logId, sorted.fresh, batch.recordedAt);
  await countRedeliveries(tx, sorted.duplicates);
  return await insertRejects(tx, head.logId, rejects, batch.recordedAt);
}

async function insertOrigins(
  tx: PoolClient,
  head: LogHead,
  fresh: readonly PreparedOrigin[],
  recordedAt: string,
): Promise<void> {
  if (fresh.length === 0) return;
  let leaf = head.tree.size;
  const positions = fresh.map((one) => {
    const first = one.samples.length > 0 ? positionOf(head.logId, leaf) : null;
    leaf += one.samples.length;
    return first ?? 'NULL';
  });
  await tx.query({
    name: 'insert_origins',
    text:
      `INSERT INTO origins (origin_id, key, source, origin, event_type_id, content, outcome, samples,
             first_position, received_at)
           SELECT $1::bigint + n - 1, key, $2, origin, event_type_id, content, outcome, samples,
             first_position, $3
           FROM unnest($4::uuid[], $5::text[], $6::int[], $7::bigint[], $8::smallint[], $9::int[], $10::bigint[])
             WITH ORDINALITY AS t(key, origin, event_type_id, content, outcome, samples, first_position, n)`,
    values: [
      positionOf(head.logId, head.originsCount),
      fresh[0]?.source,
      recordedAt,
      literal(fresh.map((one) => one.key)),
      fresh.map((one) => one.origin),
      literal(fresh.map((one) => one.eventTypeId)),
      literal(fresh.map((one) => one.content)),
      literal(fresh.map(outcomeOf)),
      literal(fresh.map((one) => one.samples.length)),
      literal(positions),
    ],
  });
}

async function insertSamples(
  tx: PoolClient,
  head: LogHead,
  fresh: readonly PreparedOrigin[],
): Promise<void> {
  const columns = sampleColumns(head, fresh);
  if (columns.ids.length === 0) return;
  await tx.query({
    name: 'insert_samples',
    text: INSERT_SAMPLES,
    values: [
      positionOf(head.logId, head.tree.size),
      literal(columns.timestamps),
      literal(columns.originIds),
      literal(columns.ids),
      literal(columns.seriesIds),
      literal(columns.metadataIds),
      literal(columns.ordinals),
      literal(columns.volumes),
    ],
  });
}

/** Also the statement that the benchmark times by itself. */
export const INSERT_SAMPLES = `
  INSERT INTO samples (position, ts, origin_id, id, series_id, metadata_id, ordinal, volume)
  SELECT $1::bigint + n - 1, ts, origin_id, id, series_id, metadata_id, ordinal, volume
  FROM unnest($2::timestamptz[], $3::bigint[], $4::uuid[], $5::int[], $6::int[], $7::smallint[], $8::numeric[])
    WITH ORDINALITY AS t(ts, origin_id, id, series_id, metadata_id, ordinal, volume, n)`;

function sampleColumns(head: LogHead, fresh: readonly PreparedOrigin[]) {
  const timestamps: string[] = [];
  const originIds: number[] = [];
  const ids: string[] = [];
  const seriesIds: number[] = [];
  const metadataIds: number[] = [];
  const ordinals: (number | 'NULL')[] = [];
  const volumes: string[] = [];
  fresh.forEach((origin, index) => {
    const originId = positionOf(head.logId, head.originsCount + index);
    for (const sample of origin.samples) {
      timestamps.push(sample.timestamp);
      originIds.push(originId);
      ids.push(sample.id);
      seriesIds.push(sample.seriesId);
      metadataIds.push(sample.metadataId);
      ordinals.push(sample.ordinal === 0 ? 'NULL' : sample.ordinal);
      volumes.push(sample.volume);
    }
  });
  return { timestamps, originIds, ids, seriesIds, metadataIds, ordinals, volumes };
}

async function insertBatchRow(
  tx: PoolClient,
  head: LogHead,
  batch: PreparedBatch,
  fresh: readonly PreparedOrigin[],
): Promise<void> {
  let samples = 0;
  let [earliest, latest] = ['9', '0'];
  for (const { timestamp } of fresh.flatMap((one) => one.samples)) {
    samples += 1;
    if (timestamp < earliest) earliest = timestamp;
    if (timestamp > latest) latest = timestamp;
  }
  if (samples === 0) return;
  await tx.query({
    name: 'insert_batch',
    text:
      `INSERT INTO batches (position, samples, recorded_at, definition_set_id, epoch, min_ts, max_ts)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    values: [
      positionOf(head.logId, head.tree.size),
      samples,
      batch.recordedAt,
      batch.definitionSetId,
      head.epoch,
      earliest,
      latest,
    ],
  });
}

async function countEvents(
  tx: PoolClient,
  logId: number,
  fresh: readonly PreparedOrigin[],
  recordedAt: string,
): Promise<void> {
  const counts = new Map<number, [number, number, number, number]>();
  for (const one of fresh) {
    const count = counts.get(one.eventTypeId) ?? [0, 0, 0, 0];
    count[one.matched ? 0 : 1] += 1;
    count[2] += one.withoutVolume;
    count[3] += one.samples.length;
    counts.set(one.eventTypeId, count);
  }
  if (counts.size === 0) return;
  const columns = [0, 1, 2, 3].map((column) =>
    literal([...counts.values()].map((c) => c[column] ?? 0))
  );
  await tx.query({
    name: 'count_events',
    text: `INSERT INTO event_counts AS c
             (log_id, event_type_id, matched, unmatched, without_volume, samples, last_seen)
           SELECT $1, id, matched, unmatched, without_volume, samples, $2
           FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
             AS t(id, matched, unmatched, without_volume, samples)
           ON CONFLICT (log_id, event_type_id) DO UPDATE SET
             matched = c.matched + excluded.matched,
             unmatched = c.unmatched + excluded.unmatched,
             without_volume = c.without_volume + excluded.without_volume,
             samples = c.samples + excluded.samples,
             last_seen = excluded.last_seen`,
    values: [logId, recordedAt, literal([...counts.keys()]), ...columns],
  });
}

async function countRedeliveries(
  tx: PoolClient,
  duplicates: readonly PreparedOrigin[],
): Promise<void> {
  if (duplicates.length === 0) return;
  await tx.query({
    name: 'count_redeliveries',
    text: `UPDATE origins o SET redelivered = o.redelivered + again.times
           FROM (SELECT key, count(*)::int AS times FROM unnest($1::uuid[]) AS t(key) GROUP BY key) again
           WHERE o.key = again.key`,
    values: [literal(duplicates.map((one) => one.key))],
  });
}

/**
 * Keeps what was not understood. The same bytes again are the same row: counted as an attempt, and open
 * again if somebody had retried it.
 */
async function insertRejects(
  tx: PoolClient,
  logId: number,
  rejects: readonly PreparedReject[],
  recordedAt: string,
): Promise<number> {
  if (rejects.length === 0) return 0;
  const byDigest = new Map<string, PreparedReject>();
  const attempts = new Map<string, number>();
  for (const reject of rejects) {
    const digest = sha256Hex(reject.bytes);
    byDigest.set(digest, reject);
    attempts.set(digest, (attempts.get(digest) ?? 0) + 1);
  }
  const once = [...byDigest.values()];
  const inserted = await tx.query<{ fresh: boolean }>({
    text: `INSERT INTO quarantine AS q
             (digest, log_id, reason, place, detail, event_type, origin, bytes, via, stream_sequence, received_at, attempts)
           SELECT digest, $1, reason, place, detail, event_type, origin, bytes, via, stream_sequence, $2, attempts
           FROM unnest($3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[],
               $10::text[], $11::bigint[], $12::int[])
             AS t(digest, reason, place, detail, event_type, origin, bytes, via, stream_sequence, attempts)
           ON CONFLICT (digest) DO UPDATE SET
             attempts = q.attempts + excluded.attempts,
             status = CASE q.status WHEN 'retried' THEN 'open' ELSE q.status END,
             reason = excluded.reason, place = excluded.place, detail = excluded.detail
           RETURNING (xmax = 0) AS fresh`,
    values: [
      logId,
      recordedAt,
      [...byDigest.keys()].map((digest) => `\\x${digest}`),
      once.map((one) => one.reason),
      once.map((one) => one.place),
      once.map((one) => one.detail),
      once.map((one) => one.eventType),
      once.map((one) => one.origin),
      once.map((one) => Buffer.from(one.bytes)),
      once.map((one) => one.via),
      once.map((one) => one.streamSequence),
      [...attempts.values()],
    ],
  });
  return inserted.rows.filter((row) => row.fresh).length;
}

function conflictReject(one: PreparedOrigin): PreparedReject {
  return {
    bytes: one.bytes,
    reason: 'content_conflict',
    place: 'message_id',
    detail: `A notification of origin '${one.origin}' is in the log with other content`,
    eventType: one.eventType,
    origin: one.origin,
    via: one.via,
    streamSequence: one.streamSequence,
  };
}

function outcomeOf(one: PreparedOrigin): number {
  if (!one.matched) return ORIGIN_OUTCOMES.unmatched;
  return one.samples.length > 0 ? ORIGIN_OUTCOMES.samples : ORIGIN_OUTCOMES.without_volume;
}

/**
 * An array of PostgreSQL as its text, for items that need no quotes: numbers, UUIDs, decimals and
 * canonical times. A tenth of the cost of the driver's own serialisation.
 */
export function literal(items: readonly (string | number)[]): string {
  return `{${items.join(',')}}`;
}
