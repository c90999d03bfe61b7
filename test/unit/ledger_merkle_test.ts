import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkConsistency,
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  type ReadNode,
  rootFromInclusion,
} from '../../ledger/merkle.ts';
import { appendLeaves, EMPTY_TREE, rootOf } from '../../ledger/tree.ts';
import { naiveConsistency, naiveLeaf, naivePath, naiveRoot } from '../support/naive_merkle.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;
const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => naiveLeaf(`leaf ${index}`));
const readNodes = (leaves: Uint8Array[]): ReadNode => (height, index) =>
  Promise.resolve(naiveRoot(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height)));
const rootAt = (leaves: Uint8Array[], size: number) => ({
  size,
  root: naiveRoot(leaves.slice(0, size)),
});

// The tree that the tests of Certificate Transparency and its successors have in common.
const CT_LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

test('the roots of the reference tree of Certificate Transparency are met', () => {
  let tree = EMPTY_TREE;
  assert.equal(hex(rootOf(tree)), CT_ROOTS[0]);
  assert.equal(hex(EMPTY_ROOT), CT_ROOTS[0]);
  CT_LEAVES.forEach((leaf, index) => {
    tree = appendLeaves(tree, [leafHash(Buffer.from(leaf, 'hex'))]).state;
    assert.equal(hex(rootOf(tree)), CT_ROOTS[index + 1]);
  });
});

test('leafHash gives the same for text and for its bytes', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (entry) => {
    assert.equal(hex(leafHash(entry)), hex(naiveLeaf(entry)));
    assert.equal(hex(leafHash(Buffer.from(entry))), hex(naiveLeaf(entry)));
  }));
});

test('inclusion proofs are those of RFC 6962 and lead to the root, for every leaf of small trees', async () => {
  for (let size = 1; size <= 40; size += 1) {
    const leaves = leavesOf(size);
    const root = naiveRoot(leaves);
    for (let index = 0; index < size; index += 1) {
      const proof = await inclusionProof(index, size, readNodes(leaves));
      assert.deepEqual(proof.map(hex), naivePath(index, leaves).map(hex), `${index} of ${size}`);
      const hash = leaves[index] ?? EMPTY_ROOT;
      assert.equal(hex(rootFromInclusion({ index, hash }, size, proof)), hex(root));
    }
  }
});

test('consistency proofs are those of RFC 6962 and verify, for every pair of small sizes', async () => {
  const leaves = leavesOf(34);
  for (let newSize = 0; newSize <= leaves.length; newSize += 1) {
    for (let oldSize = 0; oldSize <= newSize; oldSize += 1) {
      const proof = await consistencyProof(oldSize, newSize, readNodes(leaves));
      if (oldSize > 0) {
        const expected = naiveConsistency(oldSize, leaves.slice(0, newSize));
        assert.deepEqual(proof.map(hex), expected.map(hex), `${oldSize} in ${newSize}`);
      }
      checkConsistency(rootAt(leaves, oldSize), rootAt(leaves, newSize), proof);
    }
  }
});

test('no inclusion proof but the right one leads to the root', async () => {
  const leaves = leavesOf(100);
  const root = hex(naiveRoot(leaves));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(99),
      fc.nat(99),
      fc.nat(),
      fc.nat(7),
      async (index, other, place, bit) => {
        const proof = await inclusionProof(index, 100, readNodes(leaves));
        const hash = leaves[index] ?? EMPTY_ROOT;
        const reaches = (leaf: { index: number; hash: Uint8Array }, size: number, by = proof) => {
          try {
            return hex(rootFromInclusion(leaf, size, by)) === root;
          } catch {
            return false;
          }
        };
        assert(reaches({ index, hash }, 100));
        assert(!reaches({ index, hash: leaves[(index + 1) % 100] ?? EMPTY_ROOT }, 100));
        if (other !== index) assert(!reaches({ index: other, hash }, 100));
        assert(!reaches({ index, hash }, 100, proof.slice(1)));
        assert(!reaches({ index, hash }, 100, [...proof, EMPTY_ROOT]));
        const flipped = proof.map((one) => Uint8Array.from(one));
        const at = flipped[place % flipped.length];
        assert(at !== undefined);
        at[place % 32] = (at[place % 32] ?? 0) ^ (1 << bit);
        assert(!reaches({ index, hash }, 100, flipped));
      },
    ),
  );
});

test('a tree that dropped, changed or reordered a leaf is not consistent with the old one', async () => {
  const leaves = leavesOf(50);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 49 }), fc.nat(), async (oldSize, pick) => {
      const older = rootAt(leaves, oldSize);
      const changed = [...leaves];
      changed[pick % oldSize] = naiveLeaf('forged');
      const newer = rootAt(changed, 50);
      // The forger's best proofs: that of the true tree, and that of the forged one.
      for (const tree of [leaves, changed]) {
        const proof = await consistencyProof(oldSize, 50, readNodes(tree));
        assert.throws(() => checkConsistency(older, newer, proof), code('proof_invalid'));
      }
    }),
  );
});

test('proofs beyond the tree are refused, and wrong lengths named', async () => {
  const leaves = leavesOf(5);
  const read = readNodes(leaves);
  assert.throws(() => inclusionProof(5, 5, read), code('index_out_of_range'));
  assert.throws(() => inclusionProof(-1, 5, read), code('index_out_of_range'));
  assert.throws(() => inclusionProof(0.5, 5, read), code('index_out_of_range'));
  assert.throws(() => consistencyProof(6, 5, read), code('index_out_of_range'));
  const hash = leaves[0] ?? EMPTY_ROOT;
  assert.throws(() => rootFromInclusion({ index: 0, hash }, 5, []), code('proof_invalid'));
  assert.throws(() => rootFromInclusion({ index: 0, hash }, 1, [hash]), code('proof_invalid'));
  const same = rootAt(leaves, 5);
  assert.throws(() => checkConsistency(same, same, [hash]), code('proof_invalid'));
  assert.throws(
    () => checkConsistency(same, { size: 5, root: EMPTY_ROOT }, []),
    code('proof_invalid'),
  );
  assert.throws(
    () => checkConsistency({ size: 0, root: hash }, same, []),
    code('proof_invalid'),
  );
  assert.throws(
    () => checkConsistency(same, rootAt(leaves, 3), []),
    code('index_out_of_range'),
  );
  await assert.doesNotReject(consistencyProof(0, 5, read));
});
