import { NephoError } from '../meters/errors.ts';
import type { ReadNode } from './merkle.ts';
import { nodeHash } from './merkle.ts';
import { HASH_BYTES } from './sha256.ts';
import { TILE_WIDTH, tileWidth } from './tile.ts';

/**
 * A log by the resources of C2SP tlog-tiles, wherever they are: behind HTTP, in a directory, in a
 * database. What is not there is a `tile_missing`, and may be a tile that was partial and is now full.
 */
export interface TiledLog {
  /** The latest checkpoint, a signed note. */
  readCheckpoint(): Promise<string>;
  /** `width` hashes (1 to 256) of 32 bytes each. */
  readTile(level: number, index: number, width: number): Promise<Uint8Array>;
  /** A bundle of `width` entries (1 to 256). */
  readEntries(index: number, width: number): Promise<Uint8Array>;
}

export type ReadTile = TiledLog['readTile'];

/**
 * Reads nodes of the tree of `size` leaves out of its tiles, each tile once. For the proofs of
 * `merkle.ts`.
 */
export function readNodesOf(size: number, readTile: ReadTile): ReadNode {
  const tiles = new Map<string, Promise<Uint8Array>>();
  return async (height, index) => {
    const level = Math.floor(height / 8);
    // Within its tile the node is a subtree over so many of the tile's hashes.
    const span = 2 ** (height % 8);
    const first = index * span;
    const tile = Math.floor(first / TILE_WIDTH);
    const width = tileWidth({ level, index: tile }, size);
    const name = `${level}/${tile}`;
    let hashes = tiles.get(name);
    if (hashes === undefined) {
      hashes = readTile(level, tile, width);
      tiles.set(name, hashes);
    }
    const offset = first % TILE_WIDTH;
    return subtreeHash(checkedTile(await hashes, { level, index: tile, width }), offset, span);
  };
}

/** @throws {NephoError} `tile_invalid` if the bytes are not `width` hashes */
export function checkedTile(
  hashes: Uint8Array,
  { level, index, width }: { level: number; index: number; width: number },
): Uint8Array {
  if (hashes.length === width * HASH_BYTES) return hashes;
  throw new NephoError(
    'tile_invalid',
    `Cannot use tile ${level}/${index}: it has ${hashes.length} bytes, not ${width} hashes`,
  );
}

/** The root over `span` (a power of two) hashes of a tile from `offset` on. */
function subtreeHash(hashes: Uint8Array, offset: number, span: number): Uint8Array {
  if (span === 1) return hashes.slice(offset * HASH_BYTES, (offset + 1) * HASH_BYTES);
  const middle = span / 2;
  return nodeHash(
    subtreeHash(hashes, offset, middle),
    subtreeHash(hashes, offset + middle, middle),
  );
}
