import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { consistencyProof, inclusionProof, rootFromInclusion } from '../../ledger/merkle.ts';
import { checkConsistency } from '../../ledger/merkle.ts';
import { TILE_WIDTH } from '../../ledger/tile.ts';
import { readNodesOf } from '../../ledger/tiled_log.ts';
import {
  appendLeaves,
  decodeFrontier,
  EMPTY_TREE,
  encodeFrontier,
  rootOf,
  type TreeState,
} from '../../ledger/tree.ts';
import { naiveRoot } from '../support/naive_merkle.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Leaf hashes that differ, quickly made. */
function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const leaf = Buffer.alloc(32);
    leaf.writeUInt32BE(index, 28);
    return leaf;
  });
}

/** The tiles of a log, grown as a table of the database grows. */
class TileStore {
  readonly tiles = new Map<string, Buffer>();
  state: TreeState = EMPTY_TREE;

  append(leaves: Uint8Array[]): void {
    const { state, tiles } = appendLeaves(this.state, leaves);
    for (const { level, tile, offset, hashes } of tiles) {
      const before = this.tiles.get(`${level}/${tile}`) ?? Buffer.alloc(0);
      assert.equal(before.length, offset * 32, `tile ${level}/${tile} has no gap`);
      this.tiles.set(`${level}/${tile}`, Buffer.concat([before, ...hashes]));
    }
    this.state = state;
  }
}

test('appendLeaves gives one tree however the leaves are split into batches', () => {
  const leaves = leavesOf(900);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }), (batches) => {
      let state = EMPTY_TREE;
      for (const size of batches) {
        state = appendLeaves(state, leaves.slice(state.size, state.size + size)).state;
      }
      const expected = leaves.slice(0, state.size);
      assert.equal(hex(rootOf(state)), hex(naiveRoot(expected)));
      assert.deepEqual(decodeFrontier(state.size, encodeFrontier(state)), {
        size: state.size,
        hashes: state.hashes.map((hash) => Uint8Array.from(hash)),
      });
    }),
    { numRuns: 40 },
  );
});

test('appendLeaves leaves the state it was given as it was', () => {
  const { state } = appendLeaves(EMPTY_TREE, leavesOf(7));
  const before = state.hashes.map(hex);
  appendLeaves(state, leavesOf(300));
  assert.deepEqual(state.hashes.map(hex), before);
  assert.equal(state.size, 7);
});

test('the tiles of a tree of three levels are the hashes of those below, in batches of any size', () => {
  const leaves = leavesOf(TILE_WIDTH * TILE_WIDTH + 1000);
  const store = new TileStore();
  for (let taken = 0, step = 1; taken < leaves.length; step = (step * 7) % 1009) {
    store.append(leaves.slice(taken, taken + step));
    taken += step;
  }
  let below: Uint8Array[] = leaves;
  for (let level = 1; level <= 2; level += 1) {
    const above: Uint8Array[] = [];
    for (let start = 0; start + TILE_WIDTH <= below.length; start += TILE_WIDTH) {
      above.push(naiveRoot(below.slice(start, start + TILE_WIDTH)));
    }
    const stored = [...store.tiles].filter(([name]) => name.startsWith(`${level}/`));
    stored.sort(([a], [b]) => Number(a.slice(2)) - Number(b.slice(2)));
    assert.equal(
      hex(Buffer.concat(stored.map(([, bytes]) => bytes))),
      hex(Buffer.concat(above)),
      `level ${level}`,
    );
    below = above;
  }
  assert.equal(store.tiles.size, 2 + 1);
});

test('proofs out of tiles verify in a tree of three levels', async () => {
  const leaves = leavesOf(TILE_WIDTH * TILE_WIDTH + 1000);
  const store = new TileStore();
  store.append(leaves);
  const size = leaves.length;
  const root = rootOf(store.state);
  const reads: string[] = [];
  const readNode = readNodesOf(size, (level, index, width) => {
    reads.push(`${level}/${index}/${width}`);
    if (level > 0) {
      return Promise.resolve(store.tiles.get(`${level}/${index}`) ?? Buffer.alloc(0));
    }
    return Promise.resolve(
      Buffer.concat(leaves.slice(index * TILE_WIDTH, index * TILE_WIDTH + width)),
    );
  });
  for (const index of [0, 1, 255, 256, 40_000, 65_535, 65_536, size - 1]) {
    const proof = await inclusionProof(index, size, readNode);
    const leaf = { index, hash: leaves[index] ?? root };
    assert.equal(hex(rootFromInclusion(leaf, size, proof)), hex(root), `leaf ${index}`);
  }
  for (const oldSize of [1, 255, 256, 257, 65_536, 65_537, size - 1]) {
    const older = {
      size: oldSize,
      root: rootOf(appendLeaves(EMPTY_TREE, leaves.slice(0, oldSize)).state),
    };
    checkConsistency(older, { size, root }, await consistencyProof(oldSize, size, readNode));
  }
  assert.equal(new Set(reads).size, reads.length, 'each tile is read once');
});

test('decodeFrontier refuses bytes that are not those of the size', () => {
  const frontier = encodeFrontier(appendLeaves(EMPTY_TREE, leavesOf(7)).state);
  assert.equal(frontier.length, 3 * 32);
  const refused: [number, Uint8Array][] = [
    [8, frontier],
    [7, frontier.subarray(1)],
    [0, frontier],
    [-1, new Uint8Array()],
    [0.5, new Uint8Array()],
  ];
  for (const [size, bytes] of refused) {
    assert.throws(
      () => decodeFrontier(size, bytes),
      (error: unknown) => (error as { code?: string }).code === 'frontier_invalid',
      String(size),
    );
  }
});
