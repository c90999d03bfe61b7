import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { concatBytes } from './bytes.ts';
import { EMPTY_ROOT, nodeHash } from './merkle.ts';
import { HASH_BYTES } from './sha256.ts';
import { TILE_WIDTH } from './tile.ts';

/**
 * All that is needed to append to a tree: its size and the roots of the complete subtrees that make
 * it up, largest (leftmost) first. One for each bit that is set in the size.
 */
export interface TreeState {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

/** Hashes that an append adds at the end of a stored tile of level >= 1. */
export interface TileAppend {
  level: number;
  /** The tile's number within its level. */
  tile: number;
  /** How many hashes the tile held before. */
  offset: number;
  /** The new hashes, 32 bytes each. */
  hashes: readonly Uint8Array[];
}

export const EMPTY_TREE: TreeState = { size: 0, hashes: [] };

/**
 * The tree after `leaves` (leaf hashes) are appended, and what that adds to the tiles of level 1 and
 * above, lower levels first. Tiles of level 0 are the leaf hashes themselves and are not stored.
 */
export function appendLeaves(
  state: TreeState,
  leaves: readonly Uint8Array[],
): { state: TreeState; tiles: TileAppend[] } {
  const stack = [...state.hashes];
  const completed: Uint8Array[][] = [];
  let size = state.size;
  for (const leaf of leaves) {
    let hash = leaf;
    // The new leaf completes one subtree for each trailing one bit of the size before it.
    let height = 0;
    for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = stack.pop();
      assert(left !== undefined, `a tree of ${size} leaves has a subtree of height ${height}`);
      hash = nodeHash(left, hash);
      height += 1;
      if (height % 8 === 0) (completed[height / 8] ??= []).push(hash);
    }
    stack.push(hash);
    size += 1;
  }
  return { state: { size, hashes: stack }, tiles: tileAppends(state.size, completed) };
}

/** The root hash of RFC 6962. */
export function rootOf(state: TreeState): Uint8Array {
  if (state.hashes.length === 0) return EMPTY_ROOT;
  return state.hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The hashes of a state one after the other, as `logs.frontier` keeps them. */
export function encodeFrontier(state: TreeState): Uint8Array {
  return concatBytes(state.hashes);
}

/** @throws {NephoError} `frontier_invalid` if the bytes are not those of a tree of that size */
export function decodeFrontier(size: number, frontier: Uint8Array): TreeState {
  let subtrees = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) subtrees += rest % 2;
  if (!Number.isSafeInteger(size) || size < 0 || frontier.length !== subtrees * HASH_BYTES) {
    throw new NephoError(
      'frontier_invalid',
      `Cannot go on with a log of ${size} leaves: its frontier has ${frontier.length} bytes, not ${
        subtrees * HASH_BYTES
      }`,
    );
  }
  const hashes = [];
  for (let start = 0; start < frontier.length; start += HASH_BYTES) {
    hashes.push(frontier.slice(start, start + HASH_BYTES));
  }
  return { size, hashes };
}

/** Splits the hashes completed at each level over the tiles that they fall into. */
function tileAppends(oldSize: number, completed: readonly Uint8Array[][]): TileAppend[] {
  const tiles: TileAppend[] = [];
  completed.forEach((hashes, level) => {
    let position = Math.floor(oldSize / TILE_WIDTH ** level);
    let taken = 0;
    while (taken < hashes.length) {
      const offset = position % TILE_WIDTH;
      const part = hashes.slice(taken, taken + TILE_WIDTH - offset);
      const tile = Math.floor(position / TILE_WIDTH);
      tiles.push({ level, tile, offset, hashes: part });
      taken += part.length;
      position += part.length;
    }
  });
  return tiles;
}
