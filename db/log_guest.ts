import type { Pool, PoolClient } from 'pg';
import { bytesEqual } from '../ledger/bytes.ts';
import { leafHash } from '../ledger/merkle.ts';
import { positionOf } from '../ledger/position.ts';
import { decodeFrontier, rootOf } from '../ledger/tree.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { inTransaction } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { extendLog, insertRecords, type LogRecord, type LogWriterOptions } from './extend_log.ts';

/** What a guest writes once the log is locked. */
export interface GuestWriting<Result> {
  records: readonly LogRecord[];
  result: Result;
}

/** The log under its lock. */
export interface LockedLog {
  logId: number;
  origin: string;
  /** Leaves before the records of this transaction. */
  size: number;
  /** Place of the first record: `log_id * 2^40` + `size`. */
  position: number;
}

/**
 * Appends records beside the writer that ingests, without fencing it out: under the lock of the log's row
 * the head is what that row says, and the writer learns of the growth when it locks the row next. So one
 * row is what makes the log grow in one order, whoever writes.
 *
 * `work` sees the log locked, writes what belongs to its records in the same transaction, and returns them;
 * with none nothing is appended. Keep it short: ingest of this log waits.
 *
 * @throws {NephoError} `log_unknown` before ingest has begun the log, and the codes of db/errors.ts
 */
export async function appendAsGuest<Result>(
  pool: Pool,
  logId: number,
  options: LogWriterOptions,
  work: (tx: PoolClient, log: LockedLog) => Promise<GuestWriting<Result>>,
): Promise<Result> {
  return await withDatabaseErrors(
    `append records to log ${logId}`,
    () =>
      inTransaction(pool, async (tx) => {
        const head = await lockHead(tx, logId);
        const position = positionOf(logId, head.tree.size);
        const { records, result } = await work(tx, {
          logId,
          origin: head.origin,
          size: head.tree.size,
          position,
        });
        if (records.length === 0) return result;
        await insertRecords(tx, position, records);
        await extendLog(tx, head, records.map(({ entry }) => leafHash(entry)), options);
        return result;
      }),
  );
}

async function lockHead(tx: PoolClient, logId: number) {
  const { rows } = await tx.query<
    { origin: string; size: bigint; root: Uint8Array; frontier: Uint8Array; origins_count: bigint }
  >({
    name: 'lock_head',
    text:
      'SELECT origin, size, root, frontier, origins_count FROM logs WHERE log_id = $1 FOR UPDATE',
    values: [logId],
  });
  const row = rows[0];
  if (row === undefined) {
    throw new NephoError(
      'log_unknown',
      `Cannot append to log ${logId}: it has not been begun, as the ingest of its shard does first`,
      { retryable: true, context: { log_id: logId } },
    );
  }
  const tree = decodeFrontier(Number(row.size), row.frontier);
  assert(bytesEqual(row.root, rootOf(tree)), `the root of log ${logId} is its frontier's`);
  return {
    logId,
    origin: row.origin,
    tree,
    originsCount: Number(row.origins_count),
  };
}
