import { latestCheckpoint } from '../db/checkpoints.ts';
import { readEntries } from '../db/log_entries.ts';
import { databaseLog } from '../db/log_tiles.ts';
import type { LogEntry } from '../ledger/entry.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { makeReceipt } from '../ledger/prove.ts';
import { formatReceipt } from '../ledger/receipt.ts';
import { verifyReceipt } from '../ledger/verify_receipt.ts';
import { isNephoError, NephoError } from '../meters/errors.ts';
import type { LogAuditDeps } from './audit_log.ts';
import { keyPlaces } from '../db/audit_log.ts';
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
  const receipt = await receiptAt(deps, position);
  let verified = await verifyReceipt(receipt, { vkeys: deps.vkeys });
  if (!verified.ok && verified.step === 'signature') {
    // Rotations are followed where they must be: it costs a look at all the log's keys.
    const keyEntries = await readKeyEntries(deps.pool, logOfPosition(position));
    verified = await verifyReceipt(receipt, { vkeys: deps.vkeys, keyEntries });
  }
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

/**
 * The keys that are trusted, and those of former times: a log that a trusted key signed names them. So what
 * was signed before a rotation is believed as well by whoever has the new key alone.
 */
export async function provenVkeys(deps: LogAuditDeps, logId: number): Promise<string[]> {
  const proven = new Set(deps.vkeys);
  for (const position of await keyPlaces(deps.pool, logId)) {
    try {
      proven.add((await provenEntryOf(deps, position, 'key')).vkey);
    } catch (error) {
      // What does not lead to a signed root proves nothing; the audit of the log says so.
      if (!isNephoError(error) || error.retryable) throw error;
    }
  }
  return [...proven];
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
