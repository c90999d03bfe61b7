import type { Pool, PoolClient } from 'pg';
import { bytesEqual, concatBytes, encodeHex } from '../ledger/bytes.ts';
import { formatCheckpoint } from '../ledger/checkpoint.ts';
import { LEAVES_PER_LOG, positionOf } from '../ledger/position.ts';
import { leafHash } from '../ledger/merkle.ts';
import { HASH_BYTES } from '../ledger/sha256.ts';
import type { Signer } from '../ledger/signer.ts';
import { appendLeaves, encodeFrontier, rootOf } from '../ledger/tree.ts';
import type { TileAppend } from '../ledger/tree.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { inTransaction } from './client.ts';
import { databaseError } from './errors.ts';
import { insertBatch, sortOrigins } from './insert_batch.ts';
import type { LogHead } from './log_head.ts';
import type { AppendOutcome, PreparedBatch } from './prepared_batch.ts';
import { recordPolls } from './record_polls.ts';

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

/**
 * The single writer of one log. Rows, tiles, head and checkpoint go into one transaction under the lock
 * of the log's row, and only while the epoch that this writer raised is still in force: a writer that
 * was taken for dead and comes back finds itself fenced out.
 *
 * After any failure but a rejected value the writer is spent: open a new one, which learns from the
 * database whether the last commit happened.
 */
export class LogWriter {
  readonly #pool: Pool;
  readonly #options: LogWriterOptions;
  #head: LogHead;
  #spent = false;

  constructor(pool: Pool, head: LogHead, options: LogWriterOptions) {
    this.#pool = pool;
    this.#head = head;
    this.#options = options;
  }

  get head(): Readonly<LogHead> {
    return this.#head;
  }

  /** The root over all leaves, 64 hexadecimal digits. */
  get root(): string {
    return encodeHex(rootOf(this.#head.tree));
  }

  /**
   * Stores a batch: what is new enters the log, what is known is counted, what contradicts a former
   * message of the same id goes to the quarantine.
   *
   * @throws {NephoError} `log_fenced` when another writer took over, else the codes of db/errors.ts
   */
  async append(batch: PreparedBatch): Promise<AppendOutcome> {
    return await this.#write('append a batch to', async (tx) => {
      const head = this.#head;
      const sorted = await sortOrigins(tx, batch);
      const leaves = sorted.fresh.flatMap((one) => one.samples.map((sample) => sample.leaf));
      const quarantined = await insertBatch(tx, head, batch, sorted);
      await recordPolls(tx, head.logId, batch, sorted.fresh);
      await this.#extend(tx, leaves, {
        originsCount: head.originsCount + sorted.fresh.length,
        recordedAt: leaves.length > 0 ? batch.recordedAt : head.recordedAt,
      });
      return {
        samples: leaves.length,
        origins: sorted.fresh.length,
        duplicates: sorted.duplicates.length + batch.rejects.length + sorted.conflicts.length -
          quarantined,
        conflicts: sorted.conflicts.length,
        unmatched: sorted.fresh.filter((one) => !one.matched).length,
        withoutVolume: sorted.fresh.reduce((sum, one) => sum + one.withoutVolume, 0),
        quarantined,
        firstLeaf: head.tree.size,
        size: this.#head.tree.size,
      };
    });
  }

  /** Enters records that are not samples: a key, a definition set. @throws as {@link append} */
  async appendRecords(records: readonly LogRecord[]): Promise<void> {
    await this.#write('append records to', async (tx) => {
      const { logId, tree } = this.#head;
      await tx.query(
        `INSERT INTO records (position, kind, entry)
         SELECT $1::bigint + n - 1, kind, entry
         FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS t(kind, entry, n)`,
        [
          positionOf(logId, tree.size),
          records.map((record) => record.kind),
          records.map((record) => record.entry),
        ],
      );
      await this.#extend(tx, records.map((record) => leafHash(record.entry)), {});
    });
  }

  async #write<Result>(
    action: string,
    work: (tx: PoolClient) => Promise<Result>,
  ): Promise<Result> {
    assert(!this.#spent, `log ${this.#head.logId} is not written to after a failure`);
    const before = this.#head;
    try {
      return await inTransaction(this.#pool, async (tx) => {
        await this.#lock(tx);
        return await work(tx);
      });
    } catch (error) {
      const known = databaseError(error, `${action} log ${before.logId}`);
      this.#head = before;
      this.#spent = !isRejectedValue(known);
      throw known;
    }
  }

  async #lock(tx: PoolClient): Promise<void> {
    const { logId, epoch, tree } = this.#head;
    const found = await tx.query<{ epoch: bigint; size: bigint; root: Uint8Array }>({
      name: 'lock_log',
      text: 'SELECT epoch, size, root FROM logs WHERE log_id = $1 FOR UPDATE',
      values: [logId],
    });
    const row = found.rows[0];
    if (row === undefined || row.epoch !== epoch) {
      throw new NephoError(
        'log_fenced',
        `Cannot append to log ${logId} at epoch ${epoch}: another writer holds it at epoch ${row?.epoch}`,
        { retryable: true, context: { log_id: logId } },
      );
    }
    assert(
      Number(row.size) === tree.size && bytesEqual(row.root, rootOf(tree)),
      `log ${logId} is at size ${tree.size} as its writer left it, not ${row.size}`,
    );
  }

  async #extend(
    tx: PoolClient,
    leaves: readonly Uint8Array[],
    moved: Partial<Pick<LogHead, 'originsCount' | 'recordedAt'>>,
  ): Promise<void> {
    const head = this.#head;
    const started = performance.now();
    const { state: tree, tiles } = appendLeaves(head.tree, leaves);
    const root = rootOf(tree);
    assert(tree.size < LEAVES_PER_LOG, `log ${head.logId} holds fewer than 2^40 leaves`);
    const note = leaves.length === 0 ? null : await formatCheckpoint(
      { origin: head.origin, size: tree.size, root },
      this.#options.signers,
    );
    this.#options.onSigned?.(performance.now() - started);
    const originsCount = moved.originsCount ?? head.originsCount;
    const now = this.#options.now();
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
      values: [head.logId, tree.size, root, encodeFrontier(tree), originsCount, now],
    });
    this.#head = { ...head, ...moved, originsCount, tree };
  }
}

/** The value itself cannot be stored: the transaction was rolled back and the log is as it was. */
export function isRejectedValue(error: NephoError): boolean {
  return ['value_invalid', 'value_too_large', 'constraint_broken'].includes(error.code);
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
