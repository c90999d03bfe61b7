import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { encodeSampleEntry } from '../ledger/sample_entry.ts';
import { LEAVES_PER_LOG, positionOf } from '../ledger/position.ts';
import { NephoError } from '../meters/errors.ts';
import { archivedRows, type EntryRow } from './archived_entries.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** Leaves `from` (included) to `to` (excluded). */
export interface LeafRange {
  from: number;
  to: number;
}

/** Leaves that one call may read: 256 bundles. */
export const MAX_ENTRIES = 65_536;

/**
 * The entries of a log, as the canonical text whose UTF-8 is hashed: rebuilt from rows for samples, as
 * stored for other records. Fewer than asked for if the log is shorter. All tenants' data: an operator's.
 *
 * @param archives where samples are that were moved out of the database; null if nowhere
 * @throws {NephoError} `log_damaged` when entries are missing in between, `range_invalid`, and
 * `archive_missing` or `archive_damaged` for samples that are in an archive alone
 */
export async function readEntries(
  db: Queryable,
  logId: number,
  { from, to }: LeafRange,
  archives: ArchiveReader | null = null,
): Promise<string[]> {
  checkRange(from, to);
  if (from === to) return [];
  return await withDatabaseErrors(`read entries ${from} to ${to} of log ${logId}`, async () => {
    const range = { from: positionOf(logId, from), to: positionOf(logId, to) };
    const batches = await batchesOf(db, logId, range);
    const samples = await sampleRows(db, range, batches);
    const records = await recordEntries(db, range);
    // Nothing is looked for in archives as long as nothing is missing.
    if (samples.length + records.length < to - from) {
      samples.push(...await archivedRows(db, archives, range));
    }
    const entries = [...sampleEntries(samples, batches), ...records];
    entries.sort((a, b) => a.position - b.position);
    entries.forEach(({ position }, index) => {
      if (position !== range.from + index) throw missing(logId, from + index);
    });
    return entries.map(({ text }) => text);
  });
}

interface Entry {
  position: number;
  text: string;
}

interface Batch {
  position: number;
  recordedAt: string;
  definitions: string;
  minTs: string;
  maxTs: string;
}

/** The batches that begin in the range, and the one before it. */
async function batchesOf(db: Queryable, logId: number, range: LeafRange): Promise<Batch[]> {
  const { rows } = await db.query<
    { position: bigint; recorded_at: string; digest: string; min_ts: string; max_ts: string }
  >(
    `SELECT b.position, b.recorded_at, encode(d.digest, 'hex') AS digest, b.min_ts, b.max_ts
     FROM batches b JOIN definition_sets d USING (definition_set_id)
     WHERE b.position < $2 AND b.position >= coalesce(
       (SELECT max(position) FROM batches WHERE position <= $1 AND position >= $3), $1)
     ORDER BY b.position`,
    [range.from, range.to, positionOf(logId, 0)],
  );
  return rows.map((row) => ({
    position: Number(row.position),
    recordedAt: row.recorded_at,
    definitions: row.digest,
    minTs: row.min_ts,
    maxTs: row.max_ts,
  }));
}

async function sampleRows(
  db: Queryable,
  range: LeafRange,
  batches: readonly Batch[],
): Promise<EntryRow[]> {
  const [first, ...others] = batches;
  if (first === undefined) return [];
  // The span of time lets the server look into the partitions concerned alone.
  const minTs = others.reduce((min, { minTs }) => minTs < min ? minTs : min, first.minTs);
  const maxTs = others.reduce((max, { maxTs }) => maxTs > max ? maxTs : max, first.maxTs);
  const { rows } = await db.query<Omit<EntryRow, 'position'> & { position: bigint }>(
    `SELECT s.position, s.ts, replace(s.id::text, '-', '') AS id, s.ordinal, s.volume,
       r.meter, r.type, r.unit, r.project_id, r.user_id, r.resource_id, r.source,
       o.origin, encode(m.digest, 'hex') AS metadata
     FROM samples s
     JOIN series r USING (series_id) JOIN metadata m USING (metadata_id)
     JOIN origins o USING (origin_id)
     WHERE s.position >= $1 AND s.position < $2 AND s.ts >= $3 AND s.ts <= $4`,
    [range.from, range.to, minTs, maxTs],
  );
  return rows.map((row) => ({ ...row, position: Number(row.position) }));
}

function sampleEntries(rows: EntryRow[], batches: readonly Batch[]): Entry[] {
  let batch = 0;
  return rows.sort((a, b) => a.position - b.position).map((row) => {
    while ((batches[batch + 1]?.position ?? Infinity) <= row.position) batch += 1;
    const { position, ts, ordinal, ...fields } = row;
    return {
      position,
      text: encodeSampleEntry({
        ...fields,
        timestamp: ts,
        index: ordinal ?? 0,
        recorded_at: batches[batch]?.recordedAt ?? '',
        definitions: batches[batch]?.definitions ?? '',
      }),
    };
  });
}

async function recordEntries(db: Queryable, range: LeafRange): Promise<Entry[]> {
  const { rows } = await db.query<{ position: bigint; entry: string }>(
    'SELECT position, entry FROM records WHERE position >= $1 AND position < $2',
    [range.from, range.to],
  );
  return rows.map((row) => ({ position: Number(row.position), text: row.entry }));
}

function checkRange(from: number, to: number): void {
  const isSound = Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 &&
    to >= from && to <= LEAVES_PER_LOG && to - from <= MAX_ENTRIES;
  if (isSound) return;
  throw new NephoError(
    'range_invalid',
    `Cannot read entries ${from} to ${to}: ask for 0 to ${MAX_ENTRIES} entries in order`,
  );
}

function missing(logId: number, leaf: number): NephoError {
  return new NephoError(
    'log_damaged',
    `Cannot read entry ${leaf} of log ${logId}: it is not in the database, restore it from a backup`,
    { context: { log_id: logId, leaf } },
  );
}
