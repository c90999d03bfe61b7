import { NephoError } from '../meters/errors.ts';
import { decodeBase64, encodeBase64 } from './bytes.ts';
import type { TreeHead } from './merkle.ts';
import { parseNote, signNote, verifyNote } from './note.ts';
import { HASH_BYTES } from './sha256.ts';
import type { Signer } from './signer.ts';
import type { VerifierKey } from './vkey.ts';

/** What a log states of itself, by C2SP tlog-checkpoint: its name, its size and its root. */
export interface Checkpoint extends TreeHead {
  /** The log's name: `<deployment>/log/<number>`. */
  origin: string;
}

const SIZE = /^(?:0|[1-9]\d{0,15})$/;

/** The text that is signed. @throws {NephoError} `checkpoint_invalid` */
export function formatCheckpointText({ origin, size, root }: Checkpoint): string {
  const text = `${origin}\n${size}\n${encodeBase64(root)}\n`;
  parseCheckpointText(text);
  return text;
}

/** The checkpoint as a signed note with a line by each signer, in their order. */
export function formatCheckpoint(
  checkpoint: Checkpoint,
  signers: readonly Signer[],
): Promise<string> {
  return signNote(formatCheckpointText(checkpoint), signers);
}

/**
 * Reads the text of a checkpoint strictly. Extension lines, which nothing here writes and the
 * specification advises against, are refused: a monitor could not audit them.
 *
 * @throws {NephoError} `checkpoint_invalid`
 */
export function parseCheckpointText(text: string): Checkpoint {
  const [origin = '', size = '', root = '', end, ...rest] = text.split('\n');
  if (end !== '' || rest.length > 0) throw invalid('it has not exactly three lines');
  if (origin === '') throw invalid('its origin is empty');
  if (!SIZE.test(size) || !Number.isSafeInteger(Number(size))) {
    throw invalid(`'${size.slice(0, 40)}' is no tree size`);
  }
  const hash = decodeRoot(root);
  if (hash === null) throw invalid(`'${root.slice(0, 80)}' is no root hash`);
  return { origin, size: Number(size), root: hash };
}

/** Reads a checkpoint without checking its signatures. @throws `note_invalid`, `checkpoint_invalid` */
export function parseCheckpoint(note: string): Checkpoint {
  return parseCheckpointText(parseNote(note).text);
}

/**
 * Reads a checkpoint and checks that one of the keys signed it, and none of them another text.
 *
 * @throws {NephoError} `note_invalid`, `checkpoint_invalid`, `signature_invalid`,
 * `signature_missing`, `origin_foreign`
 */
export async function openCheckpoint(
  note: string,
  keys: readonly VerifierKey[],
): Promise<Checkpoint & { signedBy: VerifierKey[] }> {
  const parsed = parseNote(note);
  const checkpoint = parseCheckpointText(parsed.text);
  const signedBy = await verifyNote(parsed, keys);
  if (!signedBy.some((key) => isOriginOf(checkpoint.origin, key.name))) {
    throw new NephoError(
      'origin_foreign',
      `Cannot accept a checkpoint of '${checkpoint.origin}': the key '${
        signedBy[0].name
      }' signs only logs below its own name`,
    );
  }
  return { ...checkpoint, signedBy };
}

/** True if a log of that name belongs to the deployment of that key name. */
export function isOriginOf(origin: string, keyName: string): boolean {
  return origin === keyName || origin.startsWith(`${keyName}/`);
}

function decodeRoot(text: string): Uint8Array | null {
  try {
    const root = decodeBase64(text);
    return root.length === HASH_BYTES ? root : null;
  } catch {
    return null;
  }
}

function invalid(reason: string): NephoError {
  return new NephoError('checkpoint_invalid', `Cannot read a checkpoint: ${reason}`);
}
