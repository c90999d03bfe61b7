import type { ArchivedSample } from '../ledger/archive_block.ts';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { sampleId } from '../ledger/identity.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMicros } from '../meters/timestamp.ts';
import { archivesHolding } from './archives.ts';
import type { Queryable } from './client.ts';
import type { SampleRow } from './sample_rows.ts';

/** What the entry of a sample is made of, beside its batch; `metadata` is the digest. */
export interface EntryRow extends Omit<SampleRow, 'position' | 'recorded_at' | 'definitions'> {
  position: number;
}

/**
 * The rows at places that are in archives alone.
 *
 * @param archives null where no folder of archives is configured
 * @throws {NephoError} `archive_missing`, `archive_damaged`, `log_damaged`
 */
export async function archivedRows(
  db: Queryable,
  archives: ArchiveReader | null,
  range: { from: number; to: number },
): Promise<EntryRow[]> {
  const names = await archivesHolding(db, range);
  const rows: EntryRow[] = [];
  for (const name of names) {
    if (archives === null) throw notConfigured(name);
    rows.push(...await completeSamples(db, await archives.readSamples(name, range)));
  }
  return rows;
}

/** Completes samples of an archive by what stays in the database. @throws {NephoError} `log_damaged` */
export async function completeSamples(
  db: Queryable,
  samples: readonly ArchivedSample[],
): Promise<EntryRow[]> {
  if (samples.length === 0) return [];
  const series = await seriesOf(db, samples);
  const origins = await textsOf(db, {
    query:
      'SELECT origin_id AS id, origin AS text FROM origins WHERE origin_id = ANY($1::bigint[])',
    ids: samples.map(({ originId }) => originId),
  });
  const digests = await textsOf(db, {
    query: `SELECT metadata_id AS id, encode(digest, 'hex') AS text FROM metadata
            WHERE metadata_id = ANY($1::bigint[])`,
    ids: samples.map(({ metadataId }) => metadataId),
  });
  return samples.map((sample) => {
    const what = series.get(sample.seriesId);
    const origin = origins.get(sample.originId);
    const metadata = digests.get(sample.metadataId);
    if (what === undefined || origin === undefined || metadata === undefined) {
      throw incomplete(sample.position);
    }
    const { position, ordinal, volume } = sample;
    const id = sampleId({ ...what, origin, index: ordinal ?? 0 });
    const ts = formatMicros(BigInt(sample.micros));
    return { position, ts, id, ordinal, volume, ...what, origin, metadata };
  });
}

type Series = Pick<
  EntryRow,
  'meter' | 'type' | 'unit' | 'project_id' | 'user_id' | 'resource_id' | 'source'
>;

async function seriesOf(
  db: Queryable,
  samples: readonly ArchivedSample[],
): Promise<Map<number, Series>> {
  const { rows } = await db.query<Series & { series_id: number }>(
    `SELECT series_id, meter, type, unit, project_id, user_id, resource_id, source
     FROM series WHERE series_id = ANY($1::int[])`,
    [[...new Set(samples.map(({ seriesId }) => seriesId))]],
  );
  return new Map(rows.map(({ series_id: id, ...fields }) => [id, fields]));
}

async function textsOf(
  db: Queryable,
  { query, ids }: { query: string; ids: readonly number[] },
): Promise<Map<number, string>> {
  const { rows } = await db.query<{ id: bigint | number; text: string }>(query, [
    [...new Set(ids)],
  ]);
  return new Map(rows.map(({ id, text }) => [Number(id), text]));
}

function notConfigured(name: string): NephoError {
  return new NephoError(
    'archive_missing',
    `Cannot read samples of archive '${name}': no folder of archives is known, set NEPHO_ARCHIVE_DIR`,
  );
}

function incomplete(position: number): NephoError {
  return new NephoError(
    'log_damaged',
    `Cannot complete the archived sample at place ${position}: its series, origin or metadata is not in the database, restore it from a backup`,
  );
}
