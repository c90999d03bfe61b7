import { isNephoError, NephoError } from '../meters/errors.ts';
import { decodeBase64, encodeBase64 } from './bytes.ts';
import { canonicalJson } from './canonical_json.ts';
import { HASH_BYTES } from './sha256.ts';
import { notCanonical, parseRecord, type RecordName, StrictRecord } from './strict_record.ts';

/**
 * The evidence for a window: its record, and the way from it to an entry of a log. Needs nothing but the
 * log's public key to be checked, see `verify_window.ts`.
 */
export interface WindowBundle {
  /** The record as it was sealed or revised, see `window_record.ts`. */
  window: string;
  /** Leaf index in the seal's tree, or index in the revision's list of changes. */
  place: number;
  /** The inclusion proof within the seal's tree, the leaf's sibling first; null for a revision. */
  proof: readonly Uint8Array[] | null;
  /** The receipt of the seal or revision. */
  receipt: string;
}

/** UTF-16 units: a receipt of the largest entry, a record with long ids, a proof. */
const MAX_LENGTH = 4_000_000;
/** A seal has fewer than 2^53 windows. */
const MAX_PROOF_HASHES = 53;
const BUNDLE: RecordName = { code: 'window_bundle', name: 'a window bundle' };

export function formatWindowBundle({ window, place, proof, receipt }: WindowBundle): string {
  return canonicalJson({
    kind: 'window_bundle',
    v: 1,
    window,
    place,
    proof: proof === null ? null : proof.map(encodeBase64),
    receipt,
  });
}

/**
 * Reads a bundle strictly: formatting the result gives the same text. Believe nothing in it before it is
 * verified.
 *
 * @throws {NephoError} `window_bundle_invalid`, `window_bundle_not_canonical`
 */
export function parseWindowBundle(text: string): WindowBundle {
  if (text.length > MAX_LENGTH) {
    throw new NephoError('window_bundle_invalid', 'Cannot read a window bundle: it is too long');
  }
  const record = new StrictRecord(parseRecord(text, BUNDLE), BUNDLE);
  if (record.text('kind') !== 'window_bundle') throw record.wrong('kind', "is not 'window_bundle'");
  if (record.count('v') !== 1) {
    throw record.wrong('v', 'is not 1: only a newer version can read it');
  }
  const bundle = {
    window: record.text('window'),
    place: record.count('place'),
    proof: record.object['proof'] === null ? null : readProof(record),
    receipt: record.text('receipt'),
  };
  if (formatWindowBundle(bundle) !== text) throw notCanonical(BUNDLE, text);
  return bundle;
}

function readProof(record: StrictRecord): Uint8Array[] {
  const list = record.list('proof');
  if (list.length > MAX_PROOF_HASHES) throw record.wrong('proof', 'is too long');
  return list.map((item) => {
    const hash = typeof item === 'string' ? decodeHash(item) : null;
    if (hash === null) throw record.wrong('proof', 'has an item that is no hash in base64');
    return hash;
  });
}

function decodeHash(text: string): Uint8Array | null {
  try {
    const hash = decodeBase64(text);
    return hash.length === HASH_BYTES ? hash : null;
  } catch (error) {
    if (!isNephoError(error)) throw error;
    return null;
  }
}
