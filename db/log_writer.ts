import type { Pool, PoolClient } from 'pg';
import { bytesEqual, encodeHex } from '../ledger/bytes.ts';
import { leafHash } from '../ledger/merkle.ts';
import { positionOf } from '../ledger/position.ts';
import { decodeFrontier, rootOf } from '../ledger/tree.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { inTransaction } from './client.ts';
import { databaseError } from './errors.ts';
import { extendLog, insertRecords, type LogRecord, type LogWriterOptions } from './extend_log.ts';
import { insertBatch, sortOrigins } from './insert_batch.ts';
import type { LogHead } from './log_head.ts';
import type { AppendOutcome, PreparedBatch } from './prepared_batch.ts';
import { recordPolls } from './record_polls.ts';

interface LockedRow {
  epoch: bigint;
  size: bigint;
  root: Uint8Array;
  frontier: Uint8Array;
}

/**
 * The writer that ingests into one log. Rows, tiles, head and checkpoint go into one transaction under the lock
 * of the log's row, and only while the epoch that this writer raised is still in force: a writer that
 * was taken for dead and comes back finds itself fenced out. Guests (db/log_guest.ts) append records under
 * the same lock.
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
      await insertRecords(tx, positionOf(logId, tree.size), records);
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
    const found = await tx.query<LockedRow>({
      name: 'lock_log',
      text: 'SELECT epoch, size, root, frontier FROM logs WHERE log_id = $1 FOR UPDATE',
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
    if (Number(row.size) > tree.size) this.#follow(row);
    assert(
      bytesEqual(row.root, rootOf(this.#head.tree)),
      `log ${logId} is as its writer left it, or as guests made it grow`,
    );
  }

  /** Guests, see db/log_guest.ts, appended records since: the row under the lock is the truth. */
  #follow({ size, frontier }: LockedRow): void {
    this.#head = { ...this.#head, tree: decodeFrontier(Number(size), frontier) };
  }

  async #extend(
    tx: PoolClient,
    leaves: readonly Uint8Array[],
    moved: Partial<Pick<LogHead, 'originsCount' | 'recordedAt'>>,
  ): Promise<void> {
    this.#head = await extendLog(tx, { ...this.#head, ...moved }, leaves, this.#options);
  }
}

/** The value itself cannot be stored: the transaction was rolled back and the log is as it was. */
export function isRejectedValue(error: NephoError): boolean {
  return ['value_invalid', 'value_too_large', 'constraint_broken'].includes(error.code);
}
