import { latestCheckpoint } from '../db/checkpoints.ts';
import { readEntries } from '../db/log_entries.ts';
import { databaseLog } from '../db/log_tiles.ts';
import type { LogEntry } from '../ledger/entry.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { makeReceipt } from '../ledger/prove.ts';
import { formatReceipt } from '../ledger/receipt.ts';
import { verifyReceipt } from '../ledger/verify_receipt.ts';
import { NephoError } from '../meters/errors.ts';
import type { LogAuditDeps } from './audit_log.ts';
import { readKeyEntries } from './guest_signers.ts';

/**
 * The entry at a place, with its proof: it leads to the root of the newest checkpoint, which a trusted key
 * signed. As an outsider verifies it, by the public key alone.
 *
 * @throws {NephoError} `entry_missing`, `entry_unproven`, `log_damaged`
 */
export async function provenEntry(
  deps: LogAuditDeps,
  position: number,
): Promise<LogEntry> {
  const keyEntries = await readKeyEntries(deps.pool, logOfPosition(position));
  const receipt = await receiptAt(deps, position);
  const verified = await verifyReceipt(receipt, { vkeys: deps.vkeys, keyEntries });
  if (verified.ok) return verified.entry;
  throw new NephoError(
    'entry_unproven',
    `its proof breaks at '${verified.step}': ${verified.message}`,
  );
}

/** The receipt of the entry at a place, as an outsider gets it. @throws as {@link provenEntry} */
export async function receiptAt(
  { pool, archives }: LogAuditDeps,
  position: number,
): Promise<string> {
  const logId = logOfPosition(position);
  const index = leafOfPosition(position);
  const checkpoint = await latestCheckpoint(pool, logId);
  const [entry] = await readEntries(pool, logId, { from: index, to: index + 1 }, archives);
  if (checkpoint === null || entry === undefined || index >= checkpoint.size) {
    throw new NephoError('entry_missing', `log ${logId} has no entry ${index}`);
  }
  const log = databaseLog(pool, logId, archives);
  const receipt = await makeReceipt(
    { entry, metadata: null, index, checkpoint: checkpoint.note },
    (...tile) => log.readTile(...tile),
  );
  return formatReceipt(receipt);
}

/** As {@link provenEntry}, of a kind. @throws {NephoError} also `entry_wrong` */
export async function provenEntryOf<Kind extends LogEntry['kind']>(
  deps: LogAuditDeps,
  position: number,
  kind: Kind,
): Promise<Extract<LogEntry, { kind: Kind }>> {
  const entry = await provenEntry(deps, position);
  if (isOfKind(entry, kind)) return entry;
  throw new NephoError('entry_wrong', `the entry at its place is of kind '${entry.kind}'`);
}

function isOfKind<Kind extends LogEntry['kind']>(
  entry: LogEntry,
  kind: Kind,
): entry is Extract<LogEntry, { kind: Kind }> {
  return entry.kind === kind;
}
