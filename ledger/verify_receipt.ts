import { isNephoError, NephoError } from '../meters/errors.ts';
import { bytesEqual, encodeHex } from './bytes.ts';
import { type Checkpoint, openCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { type LogEntry, parseEntry } from './entry.ts';
import type { KeyEntry } from './key_entry.ts';
import { metadataDigest, sampleId } from './identity.ts';
import { followKeys } from './keyring.ts';
import { leafHash, rootFromInclusion } from './merkle.ts';
import { parseReceipt, type Receipt } from './receipt.ts';
import type { VerifierKey } from './vkey.ts';

/** What a receipt is checked for, in this order. */
export type ReceiptStep =
  | 'format' // the text is a receipt
  | 'checkpoint' // it holds a checkpoint
  | 'signature' // a trusted key signed the checkpoint
  | 'origin' // the checkpoint is of a log of that key's deployment
  | 'inclusion' // the proof leads from the entry to the checkpoint's root
  | 'entry' // the entry is a record in canonical form
  | 'sample_id' // a sample's id is the one that its origin gives
  | 'metadata'; // the metadata is the one that the entry names by its digest

export interface VerifiedReceipt {
  ok: true;
  entry: LogEntry;
  /** The entry's leaf index. */
  index: number;
  /** The log's name. */
  origin: string;
  /** The checkpoint's size and root, the latter as 64 hexadecimal digits. */
  size: number;
  root: string;
  /** The trusted keys that signed the checkpoint. */
  signedBy: string[];
  /** The metadata in canonical JSON if the receipt includes it: verified too. */
  metadata: string | null;
}

export interface RefusedReceipt {
  ok: false;
  /** The step that broke. Those before it held, those after it were not reached. */
  step: ReceiptStep;
  code: string;
  message: string;
}

export interface VerifyReceiptOptions {
  /** The verifier keys that are trusted, `<name>+<key id>+<base64>`. */
  vkeys: readonly string[];
  /** `key` entries of the log, oldest first: rotations to follow from the trusted keys. */
  keyEntries?: readonly KeyEntry[];
}

/**
 * Verifies a receipt offline, with nothing but public keys. Runs on Node, Deno and in a browser.
 *
 * @throws {NephoError} `vkey_invalid` for a key that the caller gave; what is wrong with the receipt is
 * the result, not an error
 */
export async function verifyReceipt(
  text: string,
  options: VerifyReceiptOptions,
): Promise<VerifiedReceipt | RefusedReceipt> {
  const keyring = await followKeys(options.vkeys, options.keyEntries ?? []);
  const keys = keyring.keys.map(({ key }) => key);
  // Moves on as the steps do, so that a failure is named by where it happened.
  const at: { step: ReceiptStep } = { step: 'format' };
  try {
    return await check(text, keys, at);
  } catch (error) {
    if (!isNephoError(error)) throw error;
    const step = error.code === 'origin_foreign' ? 'origin' : at.step;
    return { ok: false, step, code: error.code, message: error.message };
  }
}

async function check(
  text: string,
  keys: readonly VerifierKey[],
  at: { step: ReceiptStep },
): Promise<VerifiedReceipt> {
  const receipt = parseReceipt(text);
  at.step = 'checkpoint';
  const checkpoint = parseCheckpoint(receipt.checkpoint);
  at.step = 'signature';
  const { signedBy } = await openCheckpoint(receipt.checkpoint, keys);
  at.step = 'inclusion';
  checkInclusion(receipt, checkpoint);
  at.step = 'entry';
  const entry = parseEntry(receipt.entry);
  at.step = 'sample_id';
  checkSampleId(entry);
  at.step = 'metadata';
  checkMetadata(entry, receipt.metadata);
  return {
    ok: true,
    entry,
    index: receipt.index,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: encodeHex(checkpoint.root),
    signedBy: signedBy.map(({ vkey }) => vkey),
    metadata: receipt.metadata,
  };
}

/** @throws {NephoError} `sample_id_wrong`. Entries other than samples have no id. */
export function checkSampleId(entry: LogEntry): void {
  if (entry.kind !== 'sample') return;
  const expected = sampleId(entry);
  if (entry.id === expected) return;
  throw new NephoError(
    'sample_id_wrong',
    `Cannot accept sample ${entry.id}: its origin, meter and resource give the id ${expected}`,
  );
}

function checkInclusion(receipt: Receipt, { size, root, origin }: Checkpoint): void {
  const leaf = { index: receipt.index, hash: leafHash(receipt.entry) };
  if (bytesEqual(rootFromInclusion(leaf, size, receipt.proof), root)) return;
  throw new NephoError(
    'proof_invalid',
    `Cannot accept the entry: it is not leaf ${receipt.index} of '${origin}' at size ${size}`,
  );
}

function checkMetadata(entry: LogEntry, metadata: string | null): void {
  if (metadata === null) return;
  if (entry.kind === 'sample' && metadataDigest(metadata) === entry.metadata) return;
  throw new NephoError(
    'metadata_wrong',
    'Cannot accept the metadata: it is not the one that the entry names by its digest',
  );
}
