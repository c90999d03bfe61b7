import type { Queryable } from '../db/client.ts';
import { windowsOfEntry, windowText, type WindowWithSeries } from '../db/window_records.ts';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { leafHash } from '../ledger/merkle.ts';
import { leafOfPosition } from '../ledger/position.ts';
import { proveWindow } from '../ledger/prove_window.ts';
import type { TiledLog } from '../ledger/tiled_log.ts';
import { formatWindowBundle } from '../ledger/window_bundle.ts';
import type { Principal } from './principal.ts';
import { receiptOf } from './receipts.ts';

/**
 * The evidence for a window, as text: its record, its proof within the seal's tree, and the receipt of the
 * seal or the revision. The root over a seal's windows is computed from all of them, as they are stored.
 */
export async function windowBundleOf(
  deps: {
    db: Queryable;
    archives: ArchiveReader | null;
    openLog: (logId: number) => TiledLog;
  },
  principal: Principal,
  window: WindowWithSeries,
): Promise<string> {
  const { log_id, place, position } = window;
  const receipt = await receiptOf(
    deps,
    { logId: log_id, leaf: leafOfPosition(Number(position)) },
    { principal, metadata: null },
  );
  const proof = window.revision > 0 ? null : await proveWindow(
    (await windowsOfEntry(deps.db, position)).map((row) => leafHash(windowText(row))),
    place,
  );
  return formatWindowBundle({ window: windowText(window), place, proof, receipt });
}
