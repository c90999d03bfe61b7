import { Buffer } from 'node:buffer';
import { createCipheriv } from 'node:crypto';

const BLOCK = 16;

/**
 * AES in its mode CFB-128 (NIST SP 800-38A, 6.3), by which SNMPv3 encrypts (RFC 3826), for runtimes whose
 * `node:crypto` does not have it: Deno's.
 *
 * @param key 16, 24 or 32 bytes
 * @param iv 16 bytes
 */
export function aesCfb(
  data: Uint8Array,
  { key, iv, decrypt }: { key: Uint8Array; iv: Uint8Array; decrypt: boolean },
): Buffer {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null);
  cipher.setAutoPadding(false);
  const result = Buffer.alloc(data.length);
  let feedback: Uint8Array = iv;
  for (let start = 0; start < data.length; start += BLOCK) {
    const stream = cipher.update(feedback);
    const block = data.subarray(start, start + BLOCK);
    for (const [index, byte] of block.entries()) {
      result[start + index] = byte ^ (stream[index] ?? 0);
    }
    feedback = decrypt ? block : result.subarray(start, start + BLOCK);
  }
  return result;
}
