import type { Queryable } from '../db/client.ts';
import { latestCheckpoint } from '../db/checkpoints.ts';
import { readEntries } from '../db/log_entries.ts';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { readKnownEntry } from '../ledger/entry.ts';
import { makeReceipt } from '../ledger/prove.ts';
import { formatReceipt } from '../ledger/receipt.ts';
import type { TiledLog } from '../ledger/tiled_log.ts';
import { apiError } from './errors.ts';
import type { Principal } from './principal.ts';

/** A place in one of the logs. */
export interface LeafPlace {
  logId: number;
  leaf: number;
}

export interface ReceiptDeps {
  db: Queryable;
  archives: ArchiveReader | null;
  openLog: (logId: number) => TiledLog;
}

/**
 * The receipt of an entry as text (C2SP tlog-proof): proven by the newest checkpoint, and checked before
 * it is given away. Who gets which: {@link maySee}.
 *
 * @param options `metadata`: the sample's metadata in canonical JSON, to be part of the receipt
 * @throws {NephoError} `not_found`, the same for a place beyond the log and for another's entry
 */
export async function receiptOf(
  deps: ReceiptDeps,
  { logId, leaf }: LeafPlace,
  options: { principal: Principal; metadata: string | null },
): Promise<string> {
  const checkpoint = await latestCheckpoint(deps.db, logId);
  if (checkpoint === null || leaf >= checkpoint.size) throw noEntry();
  const [entry] = await readEntries(deps.db, logId, { from: leaf, to: leaf + 1 }, deps.archives);
  if (entry === undefined || !maySee(options.principal, entry)) throw noEntry();
  const source = { entry, metadata: options.metadata, index: leaf, checkpoint: checkpoint.note };
  const log = deps.openLog(logId);
  return formatReceipt(await makeReceipt(source, (...tile) => log.readTile(...tile)));
}

/**
 * A project sees what is its own and what is nobody's. Histories are an operator's, since the id of a
 * workflow may name a project; so are archives, and what this version does not understand.
 */
function maySee(principal: Principal, text: string): boolean {
  if (principal.role === 'operator') return true;
  const entry = readKnownEntry(text);
  if (entry === null) return false;
  switch (entry.kind) {
    case 'sample':
    case 'revision':
    case 'statement':
      return entry.project_id === principal.projectId;
    case 'definitions':
    case 'key':
    case 'usage_rules':
    case 'seal':
      return true;
    case 'history':
    case 'archive':
      return false;
  }
}

function noEntry(): Error {
  return apiError('not_found', 'Cannot find an entry at this place');
}
