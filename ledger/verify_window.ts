import { isNephoError, NephoError } from '../meters/errors.ts';
import { formatQuantity } from '../meters/quantity.ts';
import { usageUnit } from '../meters/usage_quantity.ts';
import { bytesEqual, decodeHex, encodeHex } from './bytes.ts';
import { seriesKey } from './identity.ts';
import { usageOfRecord } from './line_windows.ts';
import { leafHash, rootFromInclusion } from './merkle.ts';
import { logIdOfOrigin } from './position.ts';
import type { RevisionEntry } from './revision_entry.ts';
import type { SealEntry } from './seal_entry.ts';
import {
  type ReceiptStep,
  type VerifiedReceipt,
  verifyReceipt,
  type VerifyReceiptOptions,
} from './verify_receipt.ts';
import { parseWindowBundle, type WindowBundle } from './window_bundle.ts';
import { parseWindow, type WindowRecord } from './window_record.ts';

/** What a window bundle is checked for, in this order. */
export type WindowStep =
  | 'format' // the text is a window bundle
  | 'window' // it holds a window record in canonical form
  | `receipt.${ReceiptStep}` // the receipt is that of an entry of a log that a trusted key signed
  | 'entry' // the entry is a seal or a revision
  | 'span' // it is about the hour, and for a revision the series and version, of the window
  | 'inclusion'; // it names just this record: in the seal's tree, or as a change of the revision

export interface VerifiedWindow {
  ok: true;
  window: WindowRecord;
  /** What vouches for it. */
  entry: SealEntry | RevisionEntry;
  /** The entry's leaf index. */
  index: number;
  /** The log's name. */
  origin: string;
  /** The checkpoint's size and root, the latter as 64 hexadecimal digits. */
  size: number;
  root: string;
  /** The trusted keys that signed the checkpoint. */
  signedBy: string[];
}

export interface RefusedWindow {
  ok: false;
  /** The step that broke. Those before it held, those after it were not reached. */
  step: WindowStep;
  code: string;
  message: string;
}

/**
 * Verifies a window offline, with nothing but public keys: that it was sealed, or put in force by a
 * revision. That no later revision replaced it is what the log says, see `verify_log.ts`. Runs on Node,
 * Deno and in a browser.
 *
 * @throws {NephoError} `vkey_invalid` for a key that the caller gave; what is wrong with the bundle is
 * the result, not an error
 */
export async function verifyWindow(
  text: string,
  options: VerifyReceiptOptions,
): Promise<VerifiedWindow | RefusedWindow> {
  // Moves on as the steps do, so that a failure is named by where it happened.
  const at: { step: WindowStep } = { step: 'format' };
  try {
    const bundle = parseWindowBundle(text);
    at.step = 'window';
    const window = parseWindow(bundle.window);
    const receipt = await verifyReceipt(bundle.receipt, options);
    if (!receipt.ok) return { ...receipt, step: `receipt.${receipt.step}` };
    at.step = 'entry';
    const entry = vouchingEntry(receipt);
    const { index, origin, size, root, signedBy } = receipt;
    if (entry.kind === 'seal') checkSealed({ bundle, window }, entry, at);
    else checkChange({ bundle, window, origin }, entry, at);
    return { ok: true, window, entry, index, origin, size, root, signedBy };
  } catch (error) {
    if (!isNephoError(error) || error.code === 'vkey_invalid') throw error;
    return { ok: false, step: at.step, code: error.code, message: error.message };
  }
}

function vouchingEntry({ entry }: VerifiedReceipt): SealEntry | RevisionEntry {
  if (entry.kind === 'seal' || entry.kind === 'revision') return entry;
  throw new NephoError(
    'window_entry_wrong',
    `Cannot accept the window: the receipt is that of a '${entry.kind}' entry, which vouches for none`,
  );
}

function checkSealed(
  { bundle, window }: { bundle: WindowBundle; window: WindowRecord },
  seal: SealEntry,
  at: { step: WindowStep },
): void {
  at.step = 'span';
  if (window.start !== seal.start || window.end !== seal.end) {
    throw spanWrong(`it is of ${window.start}, the seal of ${seal.start}`);
  }
  if (window.revision !== 0) throw spanWrong(`a seal has no revision ${window.revision}`);
  at.step = 'inclusion';
  if (bundle.proof === null) throw notIncluded('a window of a seal needs a proof');
  const leaf = { index: bundle.place, hash: leafHash(bundle.window) };
  if (bytesEqual(rootFromInclusion(leaf, seal.rows, bundle.proof), decodeHex(seal.root))) return;
  throw notIncluded(`it is not number ${bundle.place} of the ${seal.rows} that were sealed`);
}

function checkChange(
  { bundle, window, origin }: { bundle: WindowBundle; window: WindowRecord; origin: string },
  revision: RevisionEntry,
  at: { step: WindowStep },
): void {
  at.step = 'span';
  const change = revision.changes[bundle.place];
  const logId = logIdOfOrigin(origin);
  const isOfChange = change !== undefined && logId !== null &&
    change.series === seriesKey(logId, window) && change.start === window.start &&
    change.revision === window.revision && revision.project_id === window.project_id;
  if (!isOfChange) {
    throw spanWrong(`it is not what change ${bundle.place} of the revision is about`);
  }
  at.step = 'inclusion';
  if (bundle.proof !== null) throw notIncluded('a window of a revision needs no proof');
  if (change.after !== encodeHex(leafHash(bundle.window))) {
    throw notIncluded(`it is not the record that change ${bundle.place} put in force`);
  }
  const quantity = formatQuantity(usageOfRecord(window).quantity);
  const unit = usageUnit(window.type, window.unit);
  if (quantity !== change.quantity_after || unit !== change.unit) {
    throw notIncluded(
      `it comes to ${quantity} ${unit}, the revision says ${change.quantity_after} ${change.unit}`,
    );
  }
}

function spanWrong(reason: string): NephoError {
  return new NephoError('window_span_wrong', `Cannot accept the window: ${reason}`);
}

function notIncluded(reason: string): NephoError {
  return new NephoError('window_not_included', `Cannot accept the window: ${reason}`);
}
