import type { Pool, PoolClient } from 'pg';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { bytesEqual } from '../ledger/bytes.ts';
import { EMPTY_ROOT, leafHash } from '../ledger/merkle.ts';
import { LEAVES_PER_LOG, positionOf } from '../ledger/position.ts';
import { HASH_BYTES } from '../ledger/sha256.ts';
import { TILE_WIDTH } from '../ledger/tile.ts';
import { appendLeaves, decodeFrontier, rootOf } from '../ledger/tree.ts';
import type { TreeState } from '../ledger/tree.ts';
import { NephoError } from '../meters/errors.ts';
import { inTransaction } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { readEntries } from './log_entries.ts';
import type { LogHead } from './log_head.ts';

interface LogRow {
  origin: string;
  size: bigint;
  root: Uint8Array;
  frontier: Uint8Array;
  epoch: bigint;
  origins_count: bigint;
}

/** Who opens which log. */
export interface OpenLogOptions {
  logId: number;
  /** The log's origin line, as in `nepho.example/log/0`. */
  origin: string;
  /** Names the writer for people: host, process, run. */
  holder: string;
  /** Where the last entries may be if nothing came for longer than samples are kept; null if nowhere. */
  archives?: ArchiveReader | null;
}

/**
 * Takes a log over for writing: raises its epoch, which fences every former writer out, and recomputes
 * its head from what is stored. A log is made when it is opened for the first time.
 *
 * @throws {NephoError} `log_damaged` when the stored head, tiles, entries and checkpoint disagree: nothing
 * may be written before an operator has found out why; `log_renamed` for another origin line
 */
export async function openLog(pool: Pool, options: OpenLogOptions): Promise<LogHead> {
  return await withDatabaseErrors(
    `open log ${options.logId}`,
    () =>
      inTransaction(pool, async (tx) => {
        const row = await raiseEpoch(tx, options);
        if (row.origin !== options.origin) throw renamed(options, row.origin);
        const tree = decodeFrontier(Number(row.size), row.frontier);
        await checkHead(tx, options, { tree, root: row.root });
        return {
          logId: options.logId,
          origin: row.origin,
          epoch: row.epoch,
          tree,
          originsCount: Number(row.origins_count),
          recordedAt: await lastRecordedAt(tx, options.logId),
        };
      }),
  );
}

async function raiseEpoch(tx: PoolClient, options: OpenLogOptions): Promise<LogRow> {
  await tx.query(
    'INSERT INTO logs (log_id, origin, root) VALUES ($1, $2, $3) ON CONFLICT (log_id) DO NOTHING',
    [options.logId, options.origin, EMPTY_ROOT],
  );
  const raised = await tx.query<LogRow>(
    `UPDATE logs SET epoch = epoch + 1, holder = $2 WHERE log_id = $1
     RETURNING origin, size, root, frontier, epoch, origins_count`,
    [options.logId, options.holder],
  );
  const row = raised.rows[0];
  if (row === undefined) throw damaged(options.logId, 'its row is missing');
  return row;
}

/** The head against the tiles, the last entries and the last checkpoint: O(log size). */
async function checkHead(
  tx: PoolClient,
  { logId, archives = null }: OpenLogOptions,
  head: { tree: TreeState; root: Uint8Array },
): Promise<void> {
  const { size } = head.tree;
  if (!bytesEqual(rootOf(head.tree), head.root)) {
    throw damaged(logId, "its root is not its frontier's");
  }
  const rebuilt = await rebuildTree(tx, logId, { size, archives });
  if (!bytesEqual(rootOf(rebuilt), head.root)) {
    throw damaged(logId, 'its tiles and last entries lead to another root');
  }
  const last = await tx.query<{ size: bigint; root: Uint8Array }>(
    'SELECT size, root FROM checkpoints WHERE log_id = $1 ORDER BY size DESC LIMIT 1',
    [logId],
  );
  const signed = last.rows[0];
  const agrees = signed === undefined
    ? size === 0
    : Number(signed.size) === size && bytesEqual(signed.root, head.root);
  if (!agrees) throw damaged(logId, `its last checkpoint is of size ${signed?.size}`);
  await checkNothingBeyond(tx, logId, size);
}

/** The tree as its stored tiles and the entries after the last full tile of level 0 make it. */
async function rebuildTree(
  tx: PoolClient,
  logId: number,
  { size, archives }: { size: number; archives: ArchiveReader | null },
): Promise<TreeState> {
  const hashes: Uint8Array[] = [];
  for (let level = 6; level >= 1; level -= 1) {
    hashes.push(...await subtreesOfLevel(tx, logId, { level, size }));
  }
  const full = size - size % TILE_WIDTH;
  const entries = await readEntries(tx, logId, { from: full, to: size }, archives);
  if (entries.length !== size - full) {
    throw damaged(logId, `entries are missing after leaf ${full}`);
  }
  return appendLeaves({ size: full, hashes }, entries.map((entry) => leafHash(entry))).state;
}

/** Roots of the complete subtrees that the last tile of a level contributes, largest first. */
async function subtreesOfLevel(
  tx: PoolClient,
  logId: number,
  { level, size }: { level: number; size: number },
): Promise<readonly Uint8Array[]> {
  const nodes = Math.floor(size / TILE_WIDTH ** level);
  const width = nodes % TILE_WIDTH;
  if (width === 0) return [];
  const found = await tx.query<{ hashes: Uint8Array }>(
    'SELECT hashes FROM tiles WHERE log_id = $1 AND level = $2 AND tile = $3',
    [logId, level, Math.floor(nodes / TILE_WIDTH)],
  );
  const hashes = found.rows[0]?.hashes ?? new Uint8Array();
  if (hashes.length !== width * HASH_BYTES) {
    throw damaged(logId, `its last tile of level ${level} does not hold ${width} hashes`);
  }
  const leaves = Array.from(
    { length: width },
    (_, index) => hashes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
  // The nodes of one tile are combined as leaves are: the same compact range, further up.
  return appendLeaves({ size: 0, hashes: [] }, leaves).state.hashes;
}

async function checkNothingBeyond(tx: PoolClient, logId: number, size: number): Promise<void> {
  const beyond = await tx.query(
    'SELECT 1 FROM samples WHERE position >= $1 AND position < $2 LIMIT 1',
    [positionOf(logId, size), positionOf(logId, LEAVES_PER_LOG)],
  );
  if (beyond.rowCount !== 0) throw damaged(logId, `there are samples beyond its size ${size}`);
}

async function lastRecordedAt(tx: PoolClient, logId: number): Promise<string | null> {
  const last = await tx.query<{ recorded_at: string }>(
    `SELECT recorded_at FROM batches WHERE position >= $1 AND position < $2
     ORDER BY position DESC LIMIT 1`,
    [positionOf(logId, 0), positionOf(logId, LEAVES_PER_LOG)],
  );
  return last.rows[0]?.recorded_at ?? null;
}

function damaged(logId: number, how: string): NephoError {
  return new NephoError(
    'log_damaged',
    `Cannot write to log ${logId}: ${how}; run 'nepho log verify' and restore the database before writing again`,
    { context: { log_id: logId } },
  );
}

function renamed(options: OpenLogOptions, origin: string): NephoError {
  return new NephoError(
    'log_renamed',
    `Cannot write to log ${options.logId} as '${options.origin}': it was begun as '${origin}', which its receipts name; set NEPHO_DEPLOYMENT back`,
    { context: { log_id: options.logId } },
  );
}
