import type { Pool } from 'pg';
import { readArchive } from '../db/archives.ts';
import { partitionNamed } from '../db/partitions.ts';
import { restorePartition } from '../db/partition_samples.ts';
import type { ArchiveDirectory } from '../ledger/archive_directory.ts';
import { bytesEqual } from '../ledger/bytes.ts';
import { NephoError } from '../meters/errors.ts';

/**
 * Brings an archived month back into the database, row by row as it was. The archive stays; retention drops
 * the month again at its next run if it is still older than samples are kept.
 *
 * @returns the samples that are in the database again
 * @throws {NephoError} `not_found`, `already_exists` if the month is in the database, `archive_damaged`
 */
export async function restoreArchive(
  { pool, archives }: { pool: Pool; archives: ArchiveDirectory },
  name: string,
): Promise<number> {
  const archive = await readArchive(pool, name);
  if (archive === null) {
    throw new NephoError('not_found', `Cannot restore '${name}': there is no archive of that name`);
  }
  if (archive.droppedAt === null) {
    throw new NephoError(
      'already_exists',
      `Cannot restore '${name}': the database has its samples`,
    );
  }
  const { digest } = await archives.measure(name);
  if (!bytesEqual(digest, archive.digest)) {
    throw new NephoError(
      'archive_damaged',
      `Cannot restore '${name}': the file is not the one that the log names; take another copy of it`,
    );
  }
  await restorePartition(pool, archive, {
    partition: partitionNamed(name),
    blocks: archives.readBlocks(name),
  });
  return archive.samples;
}
