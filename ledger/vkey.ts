import { NephoError } from '../meters/errors.ts';
import { concatBytes, decodeBase64, encodeBase64, encodeHex, encodeUtf8 } from './bytes.ts';
import { sha256 } from './sha256.ts';

/** The public half of a signing key, as C2SP signed-note writes it: `<name>+<key id>+<base64>`. */
export interface VerifierKey {
  name: string;
  /** 8 hexadecimal digits; with the name it tells which key made a signature. */
  keyId: string;
  /** 32 bytes. */
  publicKey: Uint8Array;
  /** The text form. */
  vkey: string;
}

/** The signature type of Ed25519 in C2SP signed-note. */
const ED25519 = 0x01;
/** Spaces of any script, plus and control characters would make a signature line ambiguous. */
const NOT_IN_NAMES = /[\s\u0085+\p{Cc}\p{Surrogate}]/u;

export function isKeyName(name: string): boolean {
  return name !== '' && !NOT_IN_NAMES.test(name);
}

/** @throws {NephoError} `key_name_invalid` */
export function makeVerifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) {
    throw new NephoError(
      'key_name_invalid',
      `Cannot name a signing key ${
        JSON.stringify(name)
      }: a name has no spaces and no '+', as in nepho.example`,
    );
  }
  const typed = concatBytes([Uint8Array.of(ED25519), publicKey]);
  const keyId = encodeHex(sha256(concatBytes([encodeUtf8(`${name}\n`), typed])).subarray(0, 4));
  return { name, keyId, publicKey, vkey: `${name}+${keyId}+${encodeBase64(typed)}` };
}

/** @throws {NephoError} `vkey_invalid` */
export function parseVkey(text: string): VerifierKey {
  const [name = '', keyId, ...rest] = text.split('+');
  // Base64 has '+' among its digits.
  const key = readKey(name, rest.join('+'));
  if (key === null || key.vkey !== text) {
    throw new NephoError(
      'vkey_invalid',
      `Cannot read a verifier key from '${
        text.slice(0, 120)
      }': expected <name>+<8 hexadecimal digits>+<base64> of an Ed25519 key${
        key === null || key.keyId === keyId ? '' : `, whose key id would be ${key.keyId}`
      }`,
    );
  }
  return key;
}

function readKey(name: string, base64: string): VerifierKey | null {
  try {
    const typed = decodeBase64(base64);
    if (typed.length !== 33 || typed[0] !== ED25519) return null;
    return makeVerifierKey(name, typed.subarray(1));
  } catch {
    return null;
  }
}
