import { createPrivateKey } from 'node:crypto';
import { createSigner, type Signer } from '../../ledger/signer.ts';

/** PKCS#8 of an Ed25519 key up to its 32 bytes (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * A key that everybody knows, for golden vectors: its 32 secret bytes are `seed`, `seed` + 1, and so
 * on. Nothing but tests may sign by it.
 */
export function testKeyPem(seed = 0): string {
  const secret = Uint8Array.from({ length: 32 }, (_, index) => (seed + index) % 256);
  return createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, secret]),
    format: 'der',
    type: 'pkcs8',
  }).export({ format: 'pem', type: 'pkcs8' }).toString();
}

export function testSigner(seed = 0, name = 'nepho.example'): Signer {
  return createSigner(name, testKeyPem(seed));
}
