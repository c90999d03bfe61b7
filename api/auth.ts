import { Buffer } from 'node:buffer';
import { createHash, randomBytes } from 'node:crypto';
import type { ApiKeyRow } from '../db/api_keys.ts';
import type { Principal } from './principal.ts';

/** Secrets look like `nepho_<43 characters>`: 32 random bytes, and a prefix for scanners of leaks. */
const SECRET_PREFIX = 'nepho_';
const SECRET_BYTES = 32;
/** An operator may choose a key of another form than ours, within these bounds. */
const BEARER = /^Bearer +([\x21-\x7e]{8,512})$/i;

/** A new secret. It is shown once and never stored. */
export function newSecret(): string {
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
}

/**
 * What stands for a secret in the database. A plain digest is enough, since the secret is random and
 * not a password; and since the row is found by its digest, the time of the search says nothing about
 * how near a wrong secret is.
 */
export function digestOfSecret(secret: string): Uint8Array {
  return createHash('sha256').update(Buffer.from(secret, 'utf8')).digest();
}

/** The key of an `Authorization` header, or null for anything else. */
export function readBearer(header: string | null | undefined): string | null {
  return BEARER.exec(header ?? '')?.[1] ?? null;
}

/**
 * Who the bearer of a key is at `now` (canonical timestamp); null for a key that is unknown, revoked,
 * expired, or of a role that this version does not know.
 */
export function principalOf(key: ApiKeyRow | null, now: string): Principal | null {
  if (key === null || key.revoked_at !== null) return null;
  if (key.expires_at !== null && key.expires_at <= now) return null;
  if (key.role === 'operator') return { role: 'operator', keyId: key.api_key_id };
  if (key.role === 'project' && key.project_id !== null) {
    return { role: 'project', keyId: key.api_key_id, projectId: key.project_id };
  }
  return null;
}
