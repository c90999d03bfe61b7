import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { concatBytes } from '../ledger/bytes.ts';
import { leafHash } from '../ledger/merkle.ts';
import { HASH_BYTES } from '../ledger/sha256.ts';
import { encodeBundle, TILE_WIDTH } from '../ledger/tile.ts';
import type { TiledLog } from '../ledger/tiled_log.ts';
import { NephoError } from '../meters/errors.ts';
import { latestCheckpoint } from './checkpoints.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { readEntries } from './log_entries.ts';

/** A tile of hashes by C2SP tlog-tiles: `width` (1 to 256) of them, 32 bytes each. */
export interface TileAddress {
  level: number;
  index: number;
  width: number;
}

/**
 * The hashes of a tile, of the whole tile's beginning if it has grown since. Level 0 is computed from
 * the entries, the others are stored.
 *
 * @throws {NephoError} `tile_missing` if the log is not as large as that
 */
export async function readTile(
  db: Queryable,
  logId: number,
  { level, index, width }: TileAddress,
  archives: ArchiveReader | null = null,
): Promise<Uint8Array> {
  if (level === 0) {
    const entries = await readBundle(db, logId, { index, width }, archives);
    return concatBytes(entries.map(leafHash));
  }
  return await withDatabaseErrors(`read tile ${level}/${index} of log ${logId}`, async () => {
    const { rows } = await db.query<{ hashes: Uint8Array }>(
      'SELECT hashes FROM tiles WHERE log_id = $1 AND level = $2 AND tile = $3',
      [logId, level, index],
    );
    const hashes = rows[0]?.hashes;
    if (hashes === undefined || hashes.length < width * HASH_BYTES) {
      throw missing(`tile ${level}/${index} with ${width} hashes`, logId);
    }
    return hashes.subarray(0, width * HASH_BYTES);
  });
}

/** The first `width` entries of a bundle, as text. @throws {NephoError} `tile_missing` */
export async function readBundle(
  db: Queryable,
  logId: number,
  { index, width }: { index: number; width: number },
  archives: ArchiveReader | null = null,
): Promise<string[]> {
  const from = index * TILE_WIDTH;
  const entries = await readEntries(db, logId, { from, to: from + width }, archives);
  if (entries.length < width) throw missing(`bundle ${index} with ${width} entries`, logId);
  return entries;
}

/** A log of the database in the form that the proofs and the export of `ledger` read. */
export function databaseLog(
  db: Queryable,
  logId: number,
  archives: ArchiveReader | null = null,
): TiledLog {
  return {
    readCheckpoint: async () => {
      const checkpoint = await latestCheckpoint(db, logId);
      if (checkpoint === null) throw missing('a checkpoint', logId);
      return checkpoint.note;
    },
    readTile: (level, index, width) => readTile(db, logId, { level, index, width }, archives),
    readEntries: async (index, width) =>
      encodeBundle(await readBundle(db, logId, { index, width }, archives)),
  };
}

function missing(what: string, logId: number): NephoError {
  return new NephoError(
    'tile_missing',
    `Cannot read ${what} of log ${logId}: it is not that long`,
    {
      context: { log_id: logId },
    },
  );
}
