import { NephoError } from '../meters/errors.ts';
import { bytesEqual, concatBytes, decodeBase64, decodeHex, encodeBase64 } from './bytes.ts';
import { encodeHex, encodeUtf8 } from './bytes.ts';
import { verifyEd25519 } from './ed25519.ts';
import type { Signer } from './signer.ts';
import { isKeyName, type VerifierKey } from './vkey.ts';

/** C2SP signed-note: a text, an empty line, and a line for each signature over the text. */
export interface Note {
  /** Ends in a newline. */
  text: string;
  signatures: NoteSignature[];
}

export interface NoteSignature {
  name: string;
  /** 8 hexadecimal digits. */
  keyId: string;
  signature: Uint8Array;
}

/** The specification asks for 16 at least; a rotation has 2, witnesses add theirs. */
const MAX_SIGNATURES = 64;
/** UTF-16 units of a whole note. */
const MAX_NOTE_LENGTH = 1_000_000;
// oxlint-disable-next-line no-control-regex -- they are what is refused
const FORBIDDEN = /[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u;

/**
 * The text signed by each of the signers, in their order.
 *
 * @throws {NephoError} `note_invalid` for a text that a note cannot hold, `signing_key_missing`
 */
export async function signNote(text: string, signers: readonly Signer[]): Promise<string> {
  if (signers.length === 0) {
    throw new NephoError(
      'signing_key_missing',
      'Cannot sign a note: there is no signing key, configure one',
    );
  }
  const message = encodeUtf8(text);
  const signatures = await Promise.all(signers.map(async (signer) => ({
    name: signer.name,
    keyId: signer.keyHash,
    signature: await signer.sign(message),
  })));
  const note = formatNote({ text, signatures });
  parseNote(note);
  return note;
}

export function formatNote({ text, signatures }: Note): string {
  const lines = signatures.map(({ name, keyId, signature }) =>
    `— ${name} ${encodeBase64(concatBytes([decodeHex(keyId), signature]))}\n`
  );
  return `${text}\n${lines.join('')}`;
}

/**
 * Reads a note strictly. Nothing in it is to be believed before {@link verifyNote}.
 *
 * @throws {NephoError} `note_invalid`
 */
export function parseNote(note: string): Note {
  if (note.length > MAX_NOTE_LENGTH) throw invalid('it is too long');
  if (FORBIDDEN.test(note)) throw invalid('it has control characters or half a surrogate pair');
  const gap = note.lastIndexOf('\n\n');
  if (gap < 0) throw invalid('no empty line separates its text from its signatures');
  if (!note.endsWith('\n')) throw invalid('its last line does not end');
  const lines = note.slice(gap + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) {
    throw invalid(`it has more than ${MAX_SIGNATURES} signatures`);
  }
  return { text: note.slice(0, gap + 1), signatures: lines.map(parseSignature) };
}

/**
 * Checks the signatures by the given keys and ignores those by others, as the specification asks.
 *
 * @returns the keys that signed, in the order of the keys given: one at least
 * @throws {NephoError} `signature_invalid` if one of the keys is named but did not sign this text,
 * `signature_missing` if none of the keys is named
 */
export async function verifyNote(
  note: Note,
  keys: readonly VerifierKey[],
): Promise<[VerifierKey, ...VerifierKey[]]> {
  const message = encodeUtf8(note.text);
  const signedBy: VerifierKey[] = [];
  for (const key of keys) {
    const line = note.signatures.find(({ name, keyId }) =>
      name === key.name && keyId === key.keyId
    );
    if (line === undefined) continue;
    if (!await verifyEd25519(key.publicKey, message, line.signature)) {
      throw new NephoError(
        'signature_invalid',
        `Cannot accept the signature of '${key.name}' (key ${key.keyId}): it is not by this key over this text`,
      );
    }
    if (!signedBy.some((known) => bytesEqual(known.publicKey, key.publicKey))) signedBy.push(key);
  }
  const [first, ...rest] = signedBy;
  if (first === undefined) throw unsigned(note, keys);
  return [first, ...rest];
}

function parseSignature(line: string): NoteSignature {
  const [dash, name = '', base64 = '', ...rest] = line.split(' ');
  if (dash !== '—' || !isKeyName(name) || rest.length > 0) {
    throw invalid(`'${line.slice(0, 80)}' is no signature line`);
  }
  const bytes = decodeSignature(base64);
  if (bytes === null || bytes.length < 5) {
    throw invalid(`the signature of '${name}' is no base64 of a key id and a signature`);
  }
  return { name, keyId: encodeHex(bytes.subarray(0, 4)), signature: bytes.subarray(4) };
}

function decodeSignature(base64: string): Uint8Array | null {
  try {
    return decodeBase64(base64);
  } catch {
    return null;
  }
}

function invalid(reason: string): NephoError {
  return new NephoError('note_invalid', `Cannot read a signed note: ${reason}`);
}

function unsigned(note: Note, keys: readonly VerifierKey[]): NephoError {
  const found = note.signatures.map(({ name, keyId }) => `${name}+${keyId}`).join(', ');
  const wanted = keys.map(({ name, keyId }) => `${name}+${keyId}`).join(', ');
  return new NephoError(
    'signature_missing',
    `Cannot trust the note: it is signed by ${found}, and trusted are ${wanted || 'no keys'}`,
  );
}
