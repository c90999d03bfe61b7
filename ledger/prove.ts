import { bytesEqual } from './bytes.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { consistencyProof, inclusionProof, leafHash, rootFromInclusion } from './merkle.ts';
import { assert } from '../meters/assert.ts';
import type { Receipt } from './receipt.ts';
import { readNodesOf, type ReadTile } from './tiled_log.ts';

/** What a receipt is made of beside the tiles. */
export interface ReceiptSource {
  entry: string;
  metadata: string | null;
  index: number;
  /** A checkpoint of a tree that holds the entry. */
  checkpoint: string;
}

/**
 * A receipt for an entry. It is verified against the checkpoint's root before it is given away.
 *
 * @throws {NephoError} `index_out_of_range` if the checkpoint is older than the entry
 */
export async function makeReceipt(source: ReceiptSource, readTile: ReadTile): Promise<Receipt> {
  const { entry, metadata, index, checkpoint } = source;
  const { size, root, origin } = parseCheckpoint(checkpoint);
  const proof = await inclusionProof(index, size, readNodesOf(size, readTile));
  const reached = rootFromInclusion({ index, hash: leafHash(entry) }, size, proof);
  assert(
    bytesEqual(reached, root),
    `entry ${index} of ${origin} leads to the root of size ${size}`,
  );
  return { entry, metadata, index, proof, checkpoint };
}

/** The proof that a log of `oldSize` leaves is a prefix of the one of `newSize`, out of its tiles. */
export function proveConsistency(
  oldSize: number,
  newSize: number,
  readTile: ReadTile,
): Promise<Uint8Array[]> {
  return consistencyProof(oldSize, newSize, readNodesOf(newSize, readTile));
}
