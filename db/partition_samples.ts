/** The samples of one partition, as they go into an archive and come back. */
import type { Pool, PoolClient } from 'pg';
import type { ArchivedSample } from '../ledger/archive_block.ts';
import { sampleId } from '../ledger/identity.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import { completeSamples } from './archived_entries.ts';
import type { Archive } from './archives.ts';
import { inTransaction, type Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { attachPartition, createPartition, type Partition } from './partitions.ts';
import { SCHEMA_LOCK } from './migrate.ts';

/** Places of one log in which a partition has samples, both included. */
export interface LogSpan {
  logId: number;
  first: number;
  last: number;
  samples: number;
}

/** Places that one query looks through. */
const PAGE_PLACES = 32_768;
/** Milliseconds that dropping waits for readers of all samples, while writers wait behind it. */
const LOCK_TIMEOUT_MS = 5_000;

/** Where the samples of a partition are in the logs, by log. Reads the whole partition. */
export async function spansOf(db: Queryable, { name }: Partition): Promise<LogSpan[]> {
  return await withDatabaseErrors(`look through ${name}`, async () => {
    const { rows } = await db.query<
      { log_id: bigint; first: bigint; last: bigint; samples: bigint }
    >(
      `SELECT position >> 40 AS log_id, min(position) AS first, max(position) AS last,
         count(*) AS samples
       FROM ${name} GROUP BY 1 ORDER BY 1`,
    );
    return rows.map((row) => ({
      logId: Number(row.log_id),
      first: Number(row.first),
      last: Number(row.last),
      samples: Number(row.samples),
    }));
  });
}

/**
 * Why samples may still count for hours that are open, or null if every hour of the partition is sealed and
 * every sample in it was looked at for revisions.
 */
export async function openReason(
  db: Queryable,
  { name, to }: Partition,
  spans: readonly LogSpan[],
): Promise<string | null> {
  return await withDatabaseErrors(`ask how far ${name} is sealed`, async () => {
    for (const { logId, last } of spans) {
      const { rows } = await db.query<{ is_sealed: boolean; is_scanned: boolean }>(
        `SELECT sealed_until >= $2 AS is_sealed, ($1::bigint << 40) + scanned_to > $3 AS is_scanned
         FROM window_keepers WHERE log_id = $1`,
        [logId, to, last],
      );
      const keeper = rows[0];
      if (keeper?.is_sealed !== true) return `log ${logId} is not sealed up to ${to}`;
      if (!keeper.is_scanned) return `late samples of log ${logId} await their revision`;
    }
    return null;
  });
}

/**
 * The samples of a partition, ascending by place, in parts of some thousand.
 *
 * @throws {NephoError} `archive_invalid` for a row whose id is not the one that its origin gives: an archive
 * does not hold ids, so it would not give that row back
 */
export async function* readPartition(
  db: Queryable,
  { name }: Partition,
  spans: readonly LogSpan[],
): AsyncGenerator<ArchivedSample[]> {
  // What came late is spread thinly over the places: it is gathered, since small blocks pack badly.
  let gathered: ArchivedSample[] = [];
  for (const { first, last } of spans) {
    for (let from = first; from <= last; from += PAGE_PLACES) {
      const page = await withDatabaseErrors(
        `read samples of ${name}`,
        () => readPage(db, name, { from, to: from + PAGE_PLACES }),
      );
      gathered = [...gathered, ...page];
      if (gathered.length < PAGE_PLACES / 2) continue;
      yield gathered;
      gathered = [];
    }
  }
  if (gathered.length > 0) yield gathered;
}

interface Row {
  position: bigint;
  ts: string;
  origin_id: bigint;
  id: string;
  series_id: number;
  metadata_id: number;
  ordinal: number | null;
  volume: string;
}

async function readPage(
  db: Queryable,
  name: string,
  { from, to }: { from: number; to: number },
): Promise<ArchivedSample[]> {
  const { rows } = await db.query<
    Row & { origin: string; meter: string; resource_id: string; source: string }
  >(
    `SELECT s.position, s.ts, s.origin_id, replace(s.id::text, '-', '') AS id, s.series_id,
       s.metadata_id, s.ordinal, s.volume, o.origin, r.meter, r.resource_id, r.source
     FROM ${name} s JOIN origins o USING (origin_id) JOIN series r USING (series_id)
     WHERE s.position >= $1 AND s.position < $2 ORDER BY s.position`,
    [from, to],
  );
  return rows.map((row) => {
    const { source, origin, meter, resource_id, ordinal } = row;
    if (sampleId({ source, origin, meter, resource_id, index: ordinal ?? 0 }) !== row.id) {
      throw new NephoError(
        'archive_invalid',
        `Cannot archive the sample at place ${row.position} of ${name}: its id '${row.id}' is not the one that its origin gives; run 'nepho audit run --all'`,
      );
    }
    return {
      position: Number(row.position),
      micros: Number(toMicros(row.ts)),
      originId: Number(row.origin_id),
      seriesId: row.series_id,
      metadataId: row.metadata_id,
      ordinal,
      volume: row.volume,
    };
  });
}

/**
 * Takes a partition out of the database: from the same moment on its archive is read in its stead. Writers
 * of other months wait for milliseconds only, once no reader is in the way.
 *
 * @throws {NephoError} `archive_stale` if the partition has other samples than the archive; nothing was done
 * then. `database_conflict`, retryable, if a reader was in the way for too long
 */
export async function dropPartition(
  pool: Pool,
  { name, samples }: Pick<Archive, 'name' | 'samples'>,
  droppedAt: string,
): Promise<void> {
  await withDatabaseErrors(`drop ${name}`, () =>
    inTransaction(pool, async (tx) => {
      await tx.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await tx.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
      // Stops writers of this month, of which there should be none, but no readers.
      await tx.query(`LOCK TABLE ${name} IN SHARE ROW EXCLUSIVE MODE`);
      const counted = await tx.query<{ count: bigint }>(`SELECT count(*) AS count FROM ${name}`);
      const found = Number(counted.rows[0]?.count);
      if (found !== samples) throw stale(name, { samples, found });
      await tx.query(`DROP TABLE ${name}`);
      await tx.query('UPDATE archives SET dropped_at = $2 WHERE name = $1', [name, droppedAt]);
    }));
}

/**
 * Brings the samples of an archive back into the database, as they were. Readers see them from the moment
 * when all are there.
 *
 * @param blocks all samples of the archive
 * @throws {NephoError} `archive_damaged` if they are not as many as the archive had, `already_exists`
 */
export async function restorePartition(
  pool: Pool,
  archive: Archive,
  { partition, blocks }: {
    partition: Partition;
    blocks: AsyncIterable<readonly ArchivedSample[]>;
  },
): Promise<void> {
  await withDatabaseErrors(`restore ${archive.name}`, () =>
    inTransaction(pool, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
      await createPartition(tx, partition);
      let restored = 0;
      for await (const samples of blocks) {
        await insertSamples(tx, partition.name, samples);
        restored += samples.length;
      }
      if (restored !== archive.samples) {
        throw new NephoError(
          'archive_damaged',
          `Cannot restore ${archive.name}: its file has ${restored} samples, not ${archive.samples}`,
        );
      }
      await attachPartition(tx, partition);
      await tx.query('UPDATE archives SET dropped_at = NULL WHERE name = $1', [archive.name]);
    }));
}

async function insertSamples(
  tx: PoolClient,
  table: string,
  samples: readonly ArchivedSample[],
): Promise<void> {
  const rows = await completeSamples(tx, samples);
  await tx.query(
    `INSERT INTO ${table} (position, ts, origin_id, id, series_id, metadata_id, ordinal, volume)
     SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::uuid[], $5::int[],
       $6::int[], $7::smallint[], $8::numeric[])`,
    [
      samples.map(({ position }) => position),
      samples.map(({ micros }) => formatMicros(BigInt(micros))),
      samples.map(({ originId }) => originId),
      rows.map(({ id }) => id),
      samples.map(({ seriesId }) => seriesId),
      samples.map(({ metadataId }) => metadataId),
      samples.map(({ ordinal }) => ordinal),
      samples.map(({ volume }) => volume),
    ],
  );
}

function stale(
  name: string,
  { samples, found }: { samples: number; found: number },
): NephoError {
  return new NephoError(
    'archive_stale',
    `Cannot drop ${name}: it has ${found} samples and its archive ${samples}; archive it anew`,
  );
}
