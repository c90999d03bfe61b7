/** How a log grows: its tree, its tiles, its checkpoint and its head, within the caller's transaction. */
import type { PoolClient } from 'pg';
import { concatBytes } from '../ledger/bytes.ts';
import { formatCheckpoint } from '../ledger/checkpoint.ts';
import { LEAVES_PER_LOG } from '../ledger/position.ts';
import { HASH_BYTES } from '../ledger/sha256.ts';
import type { Signer } from '../ledger/signer.ts';
import { appendLeaves, encodeFrontier, rootOf, type TileAppend } from '../ledger/tree.ts';
import { assert } from '../meters/assert.ts';
import type { LogHead } from './log_head.ts';

/** An entry of the log that is not a sample. */
export interface LogRecord {
  kind: string;
  /** Canonical JSON. */
  entry: string;
}

/** What a writer needs beside the database. */
export interface LogWriterOptions {
  /** The first one is in force; the others sign beside it while a rotation overlaps. */
  signers: readonly Signer[];
  /** Canonical UTC timestamp of the present. */
  now: () => string;
  /** Told the milliseconds that hashing the tree and signing took. */
  onSigned?: (milliseconds: number) => void;
}

/** The part of a head that growing changes. */
type GrowingHead = Pick<LogHead, 'logId' | 'origin' | 'tree' | 'originsCount'>;

/**
 * Appends leaves whose rows the caller writes. Call it under the lock of the log's row, with the head as
 * that row holds it.
 *
 * @returns the head afterwards, true once the transaction is committed
 */
export async function extendLog<Head extends GrowingHead>(
  tx: PoolClient,
  head: Head,
  leaves: readonly Uint8Array[],
  options: LogWriterOptions,
): Promise<Head> {
  const started = performance.now();
  const { state: tree, tiles } = appendLeaves(head.tree, leaves);
  const root = rootOf(tree);
  assert(tree.size < LEAVES_PER_LOG, `log ${head.logId} holds fewer than 2^40 leaves`);
  const note = leaves.length === 0
    ? null
    : await formatCheckpoint({ origin: head.origin, size: tree.size, root }, options.signers);
  options.onSigned?.(performance.now() - started);
  const now = options.now();
  await writeTiles(tx, head.logId, tiles);
  if (note !== null) {
    await tx.query({
      name: 'write_checkpoint',
      text: `INSERT INTO checkpoints (log_id, size, root, note, signed_at)
             VALUES ($1, $2, $3, $4, $5)`,
      values: [head.logId, tree.size, root, note, now],
    });
  }
  await tx.query({
    name: 'move_head',
    text: `UPDATE logs SET size = $2, root = $3, frontier = $4, origins_count = $5,
             updated_at = $6
           WHERE log_id = $1`,
    values: [head.logId, tree.size, root, encodeFrontier(tree), head.originsCount, now],
  });
  return { ...head, tree };
}

/** Writes records that are not samples from a place on. Their leaves are appended by {@link extendLog}. */
export async function insertRecords(
  tx: PoolClient,
  position: number,
  records: readonly LogRecord[],
): Promise<void> {
  await tx.query(
    `INSERT INTO records (position, kind, entry)
     SELECT $1::bigint + n - 1, kind, entry
     FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS t(kind, entry, n)`,
    [position, records.map((record) => record.kind), records.map((record) => record.entry)],
  );
}

async function writeTiles(
  tx: PoolClient,
  logId: number,
  tiles: readonly TileAppend[],
): Promise<void> {
  for (const { level, tile, offset, hashes } of tiles) {
    const grown = await tx.query({
      name: 'grow_tile',
      text: `INSERT INTO tiles (log_id, level, tile, hashes) VALUES ($1, $2, $3, $4)
             ON CONFLICT (log_id, level, tile) DO UPDATE SET hashes = tiles.hashes || excluded.hashes
             WHERE octet_length(tiles.hashes) = $5`,
      values: [logId, level, tile, concatBytes(hashes), offset * HASH_BYTES],
    });
    assert(grown.rowCount === 1, `tile ${level}/${tile} of log ${logId} grows at ${offset}`);
  }
}
