import { Buffer } from 'node:buffer';
import { findApiKey } from '../db/api_keys.ts';
import type { Queryable } from '../db/client.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { digestOfSecret, principalOf, readBearer } from './auth.ts';
import { apiError } from './errors.ts';
import { FailedAttempts } from './failed_attempts.ts';
import type { Principal } from './principal.ts';

/** Digests of keys that were good lately; their bearers are never made to wait for others' failures. */
const MAX_KNOWN_DIGESTS = 1_000;

export interface Authenticator {
  /**
   * The principal of an `Authorization` header; null if there is none.
   *
   * @param address of the caller, for the count of failed attempts
   * @throws {NephoError} `unauthenticated` for a key that is not valid, `too_many_attempts`
   */
  authenticate(header: string | null, address: string): Promise<Principal | null>;
}

/** Looks each key up anew, so that a revocation holds at once. */
export function createAuthenticator(db: Queryable, now: () => number): Authenticator {
  const failures = new FailedAttempts(now);
  const known = new Set<string>();

  return {
    async authenticate(header, address) {
      if (header === null) return null;
      const secret = readBearer(header);
      const digest = secret === null ? null : digestOfSecret(secret);
      const mark = digest === null ? '' : Buffer.from(digest).toString('hex');
      if (!known.has(mark) && failures.isBlocked(address)) {
        throw apiError('too_many_attempts', 'Cannot check the key: too many were wrong before it');
      }
      const key = digest === null ? null : await findApiKey(db, digest);
      const principal = principalOf(key, formatMillis(now()));
      if (principal === null) {
        known.delete(mark);
        failures.record(address);
        throw apiError('unauthenticated', 'Cannot accept the key: it is not a valid one');
      }
      remember(known, mark);
      return principal;
    },
  };
}

function remember(known: Set<string>, mark: string): void {
  known.delete(mark);
  known.add(mark);
  if (known.size > MAX_KNOWN_DIGESTS) {
    const [oldest] = known;
    if (oldest !== undefined) known.delete(oldest);
  }
}
