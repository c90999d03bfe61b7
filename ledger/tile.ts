import { NephoError } from '../meters/errors.ts';
import { concatBytes, encodeUtf8 } from './bytes.ts';
import { MAX_ENTRY_BYTES } from './entry_size.ts';
import { HASH_BYTES } from './sha256.ts';

/** Coordinates, paths and bytes of the resources of C2SP tlog-tiles. */

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Bytes of a full tile. */
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** Bytes of the largest bundle. */
export const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);
/** Leaves are numbered below 2^40, so levels above 4 hold nothing. */
export const MAX_TILE_LEVEL = 63;

/** A tile of hashes (`level` from 0) or a bundle of entries, with 1 to 256 items in it. */
export interface TileName {
  level: number | 'entries';
  /** Its number within the level. */
  index: number;
  width: number;
}

const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** The path below the log's prefix: `tile/1/x001/x234/067.p/112`. */
export function formatTilePath({ level, index, width }: TileName): string {
  let path = (index % 1000).toString().padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${(rest % 1000).toString().padStart(3, '0')}/${path}`;
  }
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** The reverse of {@link formatTilePath}, or null for any other text. */
export function parseTilePath(path: string): TileName | null {
  const match = PATH.exec(path);
  if (match === null) return null;
  const level = match[1] === 'entries' ? 'entries' : Number(match[1]);
  const index = Number((match[2] ?? '').replaceAll(/[x/]/g, ''));
  const name: TileName = { level, index, width: Number(match[3] ?? TILE_WIDTH) };
  if (level !== 'entries' && level > MAX_TILE_LEVEL) return null;
  return formatTilePath(name) === path ? name : null;
}

/**
 * How many items the tile has in a tree of `size` leaves: 0 if it does not exist, 256 if it is full.
 */
export function tileWidth(
  name: { level: number | 'entries'; index: number },
  size: number,
): number {
  const height = name.level === 'entries' ? 0 : name.level;
  const items = Math.floor(size / TILE_WIDTH ** height);
  return Math.max(0, Math.min(TILE_WIDTH, items - name.index * TILE_WIDTH));
}

/** All tiles of hashes and bundles of a tree of `size` leaves, level by level. */
export function* tilesOf(size: number): Generator<TileName> {
  for (const level of ['entries', 0] as const) yield* tilesOfLevel(level, size);
  for (let level = 1; size >= TILE_WIDTH ** level; level += 1) yield* tilesOfLevel(level, size);
}

function* tilesOfLevel(level: number | 'entries', size: number): Generator<TileName> {
  for (let index = 0;; index += 1) {
    const width = tileWidth({ level, index }, size);
    if (width === 0) return;
    yield { level, index, width };
  }
}

/** Entries as a bundle: each with its length before it, a big-endian uint16. */
export function encodeBundle(entries: readonly (Uint8Array | string)[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const bytes = typeof entry === 'string' ? encodeUtf8(entry) : entry;
    if (bytes.length > MAX_ENTRY_BYTES) {
      throw new NephoError(
        'entry_too_large',
        `Cannot bundle an entry of ${bytes.length} bytes: the limit is ${MAX_ENTRY_BYTES}`,
      );
    }
    parts.push(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
  }
  return concatBytes(parts);
}

/**
 * The entries of a bundle that must hold `width` of them.
 *
 * @throws {NephoError} `bundle_invalid`
 */
export function decodeBundle(bundle: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let offset = 0;
  while (offset < bundle.length) {
    const length = ((bundle[offset] ?? 0) << 8) | (bundle[offset + 1] ?? 0);
    const end = offset + 2 + length;
    if (end > bundle.length) {
      throw new NephoError(
        'bundle_invalid',
        `Cannot read entry ${entries.length} of a bundle: it ends ${
          end - bundle.length
        } bytes early`,
      );
    }
    entries.push(bundle.subarray(offset + 2, end));
    offset = end;
  }
  if (entries.length !== width) {
    throw new NephoError(
      'bundle_invalid',
      `Cannot accept a bundle of ${entries.length} entries: it must have ${width}`,
    );
  }
  return entries;
}
