import type { Queryable } from '../db/client.ts';
import { databaseLog } from '../db/log_tiles.ts';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { HASH_BYTES } from '../ledger/sha256.ts';
import { LEAVES_PER_LOG, MAX_LOG_ID } from '../ledger/position.ts';
import { TILE_WIDTH } from '../ledger/tile.ts';
import type { TiledLog } from '../ledger/tiled_log.ts';
import { apiError } from './errors.ts';

/** Full tiles of level 0 kept in memory: 8 KiB each, and 256 rows of the database to make one. */
const MAX_KEPT_TILES = 512;

/**
 * Opens the logs of a database by their number. What is not there is `not_found` or `tile_missing`. All
 * share one bounded memory of full tiles, since those of hashes are public and anyone may ask for them.
 */
export function createLogReaders(
  db: Queryable,
  archives: ArchiveReader | null,
): (logId: number) => TiledLog {
  const kept = new Map<string, Uint8Array>();
  return (logId) => {
    if (logId > MAX_LOG_ID) throw apiError('not_found', 'Cannot find a log of this number');
    const log = databaseLog(db, logId, archives);
    return {
      readCheckpoint: () => log.readCheckpoint(),
      async readTile(level, index, width) {
        requireIndex(index);
        if (level > 0) return await log.readTile(level, index, width);
        const name = `${logId}/${index}`;
        const known = kept.get(name);
        if (known !== undefined) return known.subarray(0, width * HASH_BYTES);
        const hashes = await log.readTile(0, index, width);
        if (width === TILE_WIDTH) keep(kept, name, hashes);
        return hashes;
      },
      async readEntries(index, width) {
        requireIndex(index);
        return await log.readEntries(index, width);
      },
    };
  };
}

/** A path may name a tile that no log can ever have. */
function requireIndex(index: number): void {
  if ((index + 1) * TILE_WIDTH <= LEAVES_PER_LOG) return;
  throw apiError('not_found', 'Cannot find this resource');
}

function keep(kept: Map<string, Uint8Array>, name: string, hashes: Uint8Array): void {
  kept.set(name, hashes);
  if (kept.size <= MAX_KEPT_TILES) return;
  const [oldest] = kept.keys();
  if (oldest !== undefined) kept.delete(oldest);
}
