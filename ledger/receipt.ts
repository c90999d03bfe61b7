import { errorMessage, NephoError } from '../meters/errors.ts';
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from './bytes.ts';
import { HASH_BYTES } from './sha256.ts';

/**
 * The evidence that an entry is in a log: C2SP tlog-proof, whose extra data holds the entry. Needs
 * nothing but the log's public key to be checked, see `verify_receipt.ts`.
 */
export interface Receipt {
  /** The entry as the log holds it. */
  entry: string;
  /** The sample's metadata in canonical JSON, whose digest is in the entry; null if not included. */
  metadata: string | null;
  /** The entry's leaf index. */
  index: number;
  /** The inclusion proof, the leaf's sibling first. */
  proof: readonly Uint8Array[];
  /** A checkpoint, a signed note, of a tree that holds the entry. */
  checkpoint: string;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
/** UTF-16 units: the largest entry and metadata in base64, a proof and a checkpoint. */
const MAX_RECEIPT_LENGTH = 2_000_000;
/** A tree below 2^53 leaves is no higher. */
const MAX_PROOF_HASHES = 53;
const INDEX = /^index (0|[1-9]\d{0,15})$/;

/**
 * The receipt as text. The specification leaves the extra data to the application: here it is the
 * entry, and after a newline the metadata if it is included. Canonical JSON holds no newline.
 */
export function formatReceipt({ entry, metadata, index, proof, checkpoint }: Receipt): string {
  const extra = metadata === null ? entry : `${entry}\n${metadata}`;
  const hashes = proof.map((hash) => `${encodeBase64(hash)}\n`).join('');
  return `${HEADER}\nextra ${
    encodeBase64(encodeUtf8(extra))
  }\nindex ${index}\n${hashes}\n${checkpoint}`;
}

/**
 * Reads a receipt strictly: formatting the result gives the same text. Believe nothing in it before
 * it is verified.
 *
 * @throws {NephoError} `receipt_invalid`
 */
export function parseReceipt(text: string): Receipt {
  if (text.length > MAX_RECEIPT_LENGTH) throw invalid('it is too long');
  const gap = text.indexOf('\n\n');
  if (gap < 0) throw invalid('no empty line separates the proof from the checkpoint');
  const [header, extraLine = '', indexLine = '', ...hashLines] = text.slice(0, gap).split('\n');
  if (header !== HEADER) throw invalid(`its first line is not '${HEADER}'`);
  if (!extraLine.startsWith('extra ')) throw invalid('it does not hold the entry as extra data');
  const extra = decode('extra data', () => decodeUtf8(decodeBase64(extraLine.slice(6))));
  const [entry = '', metadata = null, ...more] = extra.split('\n');
  if (more.length > 0) throw invalid('its extra data has more than an entry and metadata');
  const index = Number(INDEX.exec(indexLine)?.[1] ?? NaN);
  if (!Number.isSafeInteger(index)) throw invalid(`'${indexLine.slice(0, 40)}' is no leaf index`);
  if (hashLines.length > MAX_PROOF_HASHES) throw invalid('its proof is too long');
  const proof = hashLines.map(parseHash);
  return { entry, metadata, index, proof, checkpoint: text.slice(gap + 2) };
}

function parseHash(line: string): Uint8Array {
  const hash = decode('proof', () => decodeBase64(line));
  if (hash.length !== HASH_BYTES) throw invalid(`'${line.slice(0, 80)}' is no hash`);
  return hash;
}

function decode<Value>(what: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    throw invalid(`its ${what} cannot be read: ${errorMessage(cause)}`);
  }
}

function invalid(reason: string): NephoError {
  return new NephoError('receipt_invalid', `Cannot read a receipt: ${reason}`);
}
