import { NephoError } from '../meters/errors.ts';
import { bytesEqual, concatBytes } from './bytes.ts';
import { HASH_BYTES, sha256 } from './sha256.ts';

/** Hashes and proofs of the Merkle tree of RFC 6962 section 2.1, over SHA-256. */

/** The root of a tree without leaves. */
export const EMPTY_ROOT: Uint8Array = sha256('');

/** Inputs of a node's hash, reused: hashing is synchronous and keeps no reference to them. */
const NODE_INPUT = new Uint8Array(1 + 2 * HASH_BYTES);
NODE_INPUT[0] = 1;

const LEAF_PREFIX = Uint8Array.of(0);

/** The hash of a leaf: `SHA-256(0x00 ‖ entry)`. Text is hashed as its UTF-8 bytes. */
export function leafHash(entry: Uint8Array | string): Uint8Array {
  if (typeof entry === 'string') return sha256(`\0${entry}`);
  return sha256(concatBytes([LEAF_PREFIX, entry]));
}

/** The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  NODE_INPUT.set(left, 1);
  NODE_INPUT.set(right, 1 + HASH_BYTES);
  return sha256(NODE_INPUT);
}

/** The leaves `[start, end)`. */
interface Span {
  start: number;
  end: number;
}

/**
 * Reads the hash of the complete subtree with the leaves
 * `[index * 2 ** height, (index + 1) * 2 ** height)`.
 */
export type ReadNode = (height: number, index: number) => Promise<Uint8Array>;

/**
 * The inclusion proof of a leaf in the tree of `size` leaves (RFC 6962 section 2.1.1), the leaf's
 * sibling first.
 *
 * @throws {NephoError} `index_out_of_range`
 */
export function inclusionProof(
  index: number,
  size: number,
  readNode: ReadNode,
): Promise<Uint8Array[]> {
  if (!isCount(index) || !isCount(size) || index >= size) throw outOfRange(index, size);
  const spans: Span[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      spans.unshift({ start: middle, end });
      end = middle;
    } else {
      spans.unshift({ start, end: middle });
      start = middle;
    }
  }
  return hashSpans(spans, readNode);
}

/**
 * The proof that the tree of `oldSize` leaves is a prefix of that of `newSize` leaves (RFC 6962
 * section 2.1.2). Empty for equal sizes and for `oldSize` 0, which is a prefix of all.
 *
 * @throws {NephoError} `index_out_of_range`
 */
export function consistencyProof(
  oldSize: number,
  newSize: number,
  readNode: ReadNode,
): Promise<Uint8Array[]> {
  if (!isCount(oldSize) || !isCount(newSize) || oldSize > newSize) {
    throw outOfRange(oldSize, newSize);
  }
  if (oldSize === 0 || oldSize === newSize) return Promise.resolve([]);
  const spans: Span[] = [];
  let start = 0;
  let end = newSize;
  // The span that ends where the old tree ends is known to the verifier only while it is the old
  // tree itself, that is, while no step went to the right.
  while (end !== oldSize) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      spans.unshift({ start: middle, end });
      end = middle;
    } else {
      spans.unshift({ start, end: middle });
      start = middle;
    }
  }
  if (start !== 0) spans.unshift({ start, end });
  return hashSpans(spans, readNode);
}

/**
 * The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2). The leaf is included if this
 * is the tree's root.
 *
 * @throws {NephoError} `proof_invalid` for a proof of the wrong length, `index_out_of_range`
 */
export function rootFromInclusion(
  leaf: { index: number; hash: Uint8Array },
  size: number,
  proof: readonly Uint8Array[],
): Uint8Array {
  if (!isCount(leaf.index) || !isCount(size) || leaf.index >= size) {
    throw outOfRange(leaf.index, size);
  }
  let position = leaf.index;
  let last = size - 1;
  let hash = leaf.hash;
  for (const sibling of proof) {
    if (last === 0) throw wrongLength('inclusion', proof.length);
    if (position % 2 === 1 || position === last) {
      hash = nodeHash(sibling, hash);
      // On the right edge a lone node rises unhashed until it has a left sibling.
      while (position % 2 === 0 && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    position = half(position);
    last = half(last);
  }
  if (last !== 0) throw wrongLength('inclusion', proof.length);
  return hash;
}

/** A tree's size and root, as a checkpoint states them. */
export interface TreeHead {
  size: number;
  root: Uint8Array;
}

/**
 * Checks that `older` is a prefix of `newer` (RFC 9162 section 2.1.4.2).
 *
 * @throws {NephoError} `proof_invalid` if it is not, or the proof does not show it;
 * `index_out_of_range` if it is larger
 */
export function checkConsistency(
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): void {
  if (!isCount(older.size) || !isCount(newer.size) || older.size > newer.size) {
    throw outOfRange(older.size, newer.size);
  }
  if (older.size === 0 || older.size === newer.size) {
    if (proof.length > 0) throw wrongLength('consistency', proof.length);
    if (!bytesEqual(older.root, older.size === 0 ? EMPTY_ROOT : newer.root)) throw inconsistent();
    return;
  }
  const roots = rootsFromConsistency(older, newer.size, proof);
  if (!bytesEqual(roots.older, older.root) || !bytesEqual(roots.newer, newer.root)) {
    throw inconsistent();
  }
}

function rootsFromConsistency(
  older: TreeHead,
  newSize: number,
  proof: readonly Uint8Array[],
): { older: Uint8Array; newer: Uint8Array } {
  let position = older.size - 1;
  let last = newSize - 1;
  while (position % 2 === 1) {
    position = half(position);
    last = half(last);
  }
  // An old tree whose size is a power of two is itself the first node, which the proof leaves out.
  const path = position === 0 ? [older.root, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) throw wrongLength('consistency', proof.length);
  let oldHash = first;
  let newHash = first;
  for (const sibling of rest) {
    if (last === 0) throw wrongLength('consistency', proof.length);
    if (position % 2 === 1 || position === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (position % 2 === 0 && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      newHash = nodeHash(newHash, sibling);
    }
    position = half(position);
    last = half(last);
  }
  if (last !== 0) throw wrongLength('consistency', proof.length);
  return { older: oldHash, newer: newHash };
}

async function hashSpans(spans: readonly Span[], readNode: ReadNode): Promise<Uint8Array[]> {
  return await Promise.all(spans.map(async (span) => {
    const nodes = await Promise.all(
      completeSubtrees(span).map(({ height, index }) => readNode(height, index)),
    );
    return nodes.reduceRight((right, left) => nodeHash(left, right));
  }));
}

/** The complete subtrees that make up a span which starts where one of its size may start. */
function completeSubtrees({ start, end }: Span): { height: number; index: number }[] {
  const subtrees = [];
  let from = start;
  while (from < end) {
    const height = Math.floor(Math.log2(end - from));
    const width = 2 ** height;
    subtrees.push({ height, index: from / width });
    from += width;
  }
  return subtrees;
}

/** The largest power of two below `count`, which is at least 2. */
function splitPoint(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}

/** Sizes go beyond the 32 bits of the shift operators. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function outOfRange(index: number, size: number): NephoError {
  return new NephoError(
    'index_out_of_range',
    `Cannot prove ${index} in a tree of ${size} leaves: it is beyond the tree`,
  );
}

function wrongLength(what: string, length: number): NephoError {
  return new NephoError(
    'proof_invalid',
    `Cannot follow the ${what} proof: ${length} hashes are the wrong number for these sizes`,
  );
}

function inconsistent(): NephoError {
  return new NephoError(
    'proof_invalid',
    'Cannot accept the newer tree: it does not contain the older one as a prefix',
  );
}
