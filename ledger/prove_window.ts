import { assert } from '../meters/assert.ts';
import { inclusionProof, nodeHash } from './merkle.ts';
import { appendLeaves, EMPTY_TREE, rootOf } from './tree.ts';

/** The trees over windows: those of a seal, and those that a line of a statement sums. */

/**
 * RFC 6962 root over records.
 *
 * @param leaves leaf hashes of the records in order: by series key in a seal, by series key and start in a
 * line of a statement
 */
export function windowsRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return rootOf(appendLeaves(EMPTY_TREE, leaves).state);
}

/**
 * The inclusion proof of one of the records, the leaf's sibling first.
 *
 * @throws {NephoError} `index_out_of_range`
 */
export async function proveWindow(
  leaves: readonly Uint8Array[],
  place: number,
): Promise<Uint8Array[]> {
  const levels: Uint8Array[][] = [[...leaves]];
  for (let below = levels[0] ?? []; below.length > 1;) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < below.length; i += 2) {
      const [left, right] = [below[i], below[i + 1]];
      assert(left !== undefined && right !== undefined, 'a level has no holes');
      above.push(nodeHash(left, right));
    }
    levels.push(above);
    below = above;
  }
  return await inclusionProof(place, leaves.length, (height, index) => {
    const node = levels[height]?.[index];
    assert(node !== undefined, `${leaves.length} windows have node ${index} at height ${height}`);
    return Promise.resolve(node);
  });
}
