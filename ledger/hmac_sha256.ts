import { concatBytes } from './bytes.ts';
import { sha256 } from './sha256.ts';

const BLOCK_BYTES = 64;

/** HMAC-SHA256 (RFC 2104): 32 bytes. In any runtime, and without waiting. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key.length > BLOCK_BYTES ? sha256(key) : key);
  const inner = sha256(concatBytes([block.map((byte) => byte ^ 0x36), message]));
  return sha256(concatBytes([block.map((byte) => byte ^ 0x5c), inner]));
}
