import { concatBytes, decodeHex } from './bytes.ts';
import { nodeCrypto } from './platform.ts';

/** Checks an Ed25519 signature (RFC 8032). False also for a key or signature of the wrong length. */
export type VerifyEd25519 = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => Promise<boolean>;

/** What stands before the 32 bytes of a public key in DER (RFC 8410 section 4). */
const SPKI_PREFIX = decodeHex('302a300506032b6570032100');

/** By WebCrypto, which every browser, Deno and Node have. */
export const verifyEd25519ByWebCrypto: VerifyEd25519 = async (publicKey, message, signature) => {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const { subtle } = globalThis.crypto;
  try {
    // slice() copies into memory that is not shared, which is all that WebCrypto takes.
    const key = await subtle.importKey('raw', publicKey.slice(), 'Ed25519', false, ['verify']);
    return await subtle.verify('Ed25519', key, signature.slice(), message.slice());
  } catch {
    return false;
  }
};

/** By `node:crypto` where there is one: WebCrypto's Ed25519 makes Node 20 print a warning. */
export const verifyEd25519: VerifyEd25519 = nodeCrypto === null
  ? verifyEd25519ByWebCrypto
  : (publicKey, message, signature) => Promise.resolve(verifyByNode(publicKey, message, signature));

function verifyByNode(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (nodeCrypto === null || publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    const der = Buffer.from(concatBytes([SPKI_PREFIX, publicKey]));
    const key = nodeCrypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
    return nodeCrypto.verify(null, message, key, signature);
  } catch {
    return false;
  }
}
