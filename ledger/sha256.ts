import { sha256 as portableSha256 } from '@noble/hashes/sha2.js';
import { encodeHex, encodeUtf8 } from './bytes.ts';
import { isDeno, nodeCrypto } from './platform.ts';

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32;

/** SHA-256 of bytes, or of the UTF-8 form of a text: 32 bytes. */
export const sha256: (data: Uint8Array | string) => Uint8Array = chooseSha256();

/** SHA-256 as 64 lower-case hexadecimal digits. Faster on Node than making bytes of it. */
export const sha256Hex: (data: Uint8Array | string) => string = chooseSha256Hex();

function portable(data: Uint8Array | string): Uint8Array {
  return portableSha256(typeof data === 'string' ? encodeUtf8(data) : data);
}

function chooseSha256(): (data: Uint8Array | string) => Uint8Array {
  if (nodeCrypto === null) return portable;
  const { createHash, hash } = nodeCrypto;
  // Node before 20.12 has no one-shot hash.
  if (hash === undefined) return (data) => createHash('sha256').update(data).digest();
  if (isDeno) return (data) => hash('sha256', data, 'buffer');
  // A string crosses from C++ in half the time that a new Buffer takes.
  return (data) => Buffer.from(hash('sha256', data, 'binary'), 'latin1');
}

function chooseSha256Hex(): (data: Uint8Array | string) => string {
  const hash = nodeCrypto?.hash;
  if (hash === undefined) return (data) => encodeHex(sha256(data));
  return (data) => hash('sha256', data, 'hex');
}
