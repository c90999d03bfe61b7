import { decodeBase64, encodeUtf8 } from './bytes.ts';
import { verifyEd25519 } from './ed25519.ts';
import { endorsementText, type KeyEntry } from './key_entry.ts';
import { parseVkey, type VerifierKey } from './vkey.ts';

/** A key that a verifier believes, and why. */
export interface TrustedKey {
  key: VerifierKey;
  /** The key that endorsed it in the log; null for one that the verifier was given. */
  endorsedBy: VerifierKey | null;
  /** From when on it signs; null if the log does not say. */
  notBefore: string | null;
  /** Since when it signs no more; null while it does. */
  retiredAt: string | null;
}

/** The keys that a verifier ends up with after reading a log's `key` entries. */
export interface Keyring {
  keys: TrustedKey[];
  /** Keys that the log names and that no trusted key endorsed: believe them only if told so. */
  unfollowed: string[];
}

/**
 * Follows a log's rotations from the keys that a verifier was given: a `key` entry is believed if the
 * key it follows is, and that key's endorsement in it verifies.
 *
 * @param entries the log's `key` entries in their order
 * @throws {NephoError} `vkey_invalid` for a given key; an entry's faults only leave it unfollowed
 */
export async function followKeys(
  vkeys: readonly string[],
  entries: readonly KeyEntry[],
): Promise<Keyring> {
  const keys = new Map<string, TrustedKey>();
  for (const vkey of vkeys) {
    const key = parseVkey(vkey);
    keys.set(key.vkey, { key, endorsedBy: null, notBefore: null, retiredAt: null });
  }
  const unfollowed: string[] = [];
  for (const entry of entries) {
    const previous = entry.previous === null ? undefined : keys.get(entry.previous);
    const endorsed = previous !== undefined && await isEndorsed(entry, previous.key);
    const known = keys.get(entry.vkey);
    if (known !== undefined) known.notBefore ??= entry.not_before;
    else if (endorsed) {
      keys.set(entry.vkey, {
        key: parseVkey(entry.vkey),
        endorsedBy: previous.key,
        notBefore: entry.not_before,
        retiredAt: null,
      });
    } else unfollowed.push(entry.vkey);
    // Only the key itself can say that it retires: others could silence it otherwise.
    if (endorsed) previous.retiredAt ??= entry.overlap_until;
  }
  return { keys: [...keys.values()], unfollowed };
}

/** The keys that may sign for a log whose last entry is of that time; all if there is none. */
export function keysInForce(keyring: Keyring, at: string | null): VerifierKey[] {
  return keyring.keys
    .filter(({ retiredAt }) => retiredAt === null || at === null || retiredAt > at)
    .map(({ key }) => key);
}

async function isEndorsed(entry: KeyEntry, by: VerifierKey): Promise<boolean> {
  if (entry.endorsement === null) return false;
  try {
    const { name } = parseVkey(entry.vkey);
    if (name !== entry.name || name !== by.name) return false;
    const signature = decodeBase64(entry.endorsement);
    return await verifyEd25519(by.publicKey, encodeUtf8(endorsementText(entry)), signature);
  } catch {
    return false;
  }
}
