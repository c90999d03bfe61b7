import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { NephoError } from '../meters/errors.ts';
import { makeVerifierKey } from './vkey.ts';

/** Signs for a log. A file and the environment give one today; a key management service may later. */
export interface Signer {
  /** The name on signature lines: that of the deployment, and the start of its logs' origins. */
  readonly name: string;
  readonly algorithm: 'ed25519';
  /** The key id of C2SP signed-note, 8 hexadecimal digits. */
  readonly keyHash: string;
  /** The public half, as verifiers take it. */
  readonly vkey: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. A service answers later, so callers wait. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A new private key as PKCS#8 PEM. To keep, see `key_file.ts`. */
export function generateSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/**
 * A signer from a private key in PKCS#8 PEM. Line ends may be written `\n`, as in an environment
 * variable of one line.
 *
 * @throws {NephoError} `signing_key_invalid` (its message holds nothing of the key),
 * `key_name_invalid`
 */
export function createSigner(name: string, pem: string): Signer {
  const privateKey = readPrivateKey(pem.replaceAll('\\n', '\n').trim());
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicKey = new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url'));
  const { keyId, vkey } = makeVerifierKey(name, publicKey);
  const signer: Signer = {
    name,
    algorithm: 'ed25519',
    keyHash: keyId,
    vkey,
    publicKey,
    sign: (message) => sign(null, message, privateKey),
  };
  checkPair(privateKey);
  return signer;
}

function readPrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    // Without the cause: OpenSSL's words could quote what it failed to read.
    throw invalid('it is not a private key in PKCS#8 PEM');
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw invalid(`it is of type '${key.asymmetricKeyType}', not Ed25519`);
  }
  return key;
}

/** Signs and verifies once, so that a damaged key is found before a log depends on it. */
function checkPair(privateKey: KeyObject): void {
  const message = Buffer.from('nepho');
  if (!verify(null, message, createPublicKey(privateKey), sign(null, message, privateKey))) {
    throw invalid('its halves do not belong together');
  }
}

function invalid(reason: string): NephoError {
  return new NephoError(
    'signing_key_invalid',
    `Cannot use the signing key: ${reason}, make one with \`openssl genpkey -algorithm ed25519\``,
  );
}
