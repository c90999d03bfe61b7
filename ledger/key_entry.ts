import { NephoError } from '../meters/errors.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import { encodeBase64, encodeUtf8 } from './bytes.ts';
import type { Signer } from './signer.ts';
import { encodeRecord, type StrictRecord } from './strict_record.ts';

/** A signing key came into force. */
export interface KeyEntry {
  kind: 'key';
  v: 1;
  /** The name on signature lines. */
  name: string;
  /** The verifier key in the form of C2SP signed-note: name, key id and public key. */
  vkey: string;
  /** It signs checkpoints from this time on. */
  not_before: string;
  /** Until then the previous key signs too; null for the first key. */
  overlap_until: string | null;
  /** The verifier key that this one follows; null for the first. */
  previous: string | null;
  /** The previous key's signature over this entry, in base64: see {@link endorsementText}. */
  endorsement: string | null;
  recorded_at: string;
}

/** How long the previous key goes on signing beside a new one, unless configured. */
export const DEFAULT_KEY_OVERLAP_MS = 30 * 24 * 3_600_000;

export function readKeyEntry(record: StrictRecord): KeyEntry {
  return {
    kind: 'key',
    v: 1,
    name: record.text('name'),
    vkey: record.text('vkey'),
    not_before: record.time('not_before'),
    overlap_until: record.timeOrNull('overlap_until'),
    previous: record.textOrNull('previous'),
    endorsement: record.textOrNull('endorsement'),
    recorded_at: record.time('recorded_at'),
  };
}

/**
 * What the previous key signs to endorse a new one. Its first line keeps it apart from all else that a
 * key signs: no line of a checkpoint's text after the first is JSON.
 */
export function endorsementText(entry: KeyEntry): string {
  return `nepho/key@v1\n${encodeRecord({ ...entry, endorsement: null })}\n`;
}

export interface KeyEntryOptions {
  /** The present, canonical UTC: when the entry is recorded and the key comes into force. */
  now: string;
  overlapMs?: number;
  /**
   * The verifier key of the one new key that is accepted without the previous key's signature, because
   * that key is lost. Verifiers who trust the previous key then have to be given this one.
   */
  unendorsedKey?: string | null;
}

/**
 * The `key` entries that a log lacks before these signers may sign for it, oldest first.
 *
 * @param history the log's `key` entries, oldest first
 * @param signers newest first, as they are configured
 * @throws {NephoError} `signing_key_unendorsed` if a key is new and the one before it is not at hand
 */
export async function missingKeyEntries(
  history: readonly KeyEntry[],
  signers: readonly Signer[],
  options: KeyEntryOptions,
): Promise<KeyEntry[]> {
  const known = new Set(history.map((entry) => entry.vkey));
  const missing: KeyEntry[] = [];
  let previous = history.at(-1)?.vkey ?? null;
  for (const signer of signers.toReversed()) {
    if (known.has(signer.vkey)) continue;
    const endorser = signers.find((other) => other.vkey === previous);
    if (previous !== null && endorser === undefined && options.unendorsedKey !== signer.vkey) {
      throw unendorsed(signer.vkey, previous);
    }
    missing.push(await makeKeyEntry(signer, { previous, endorser, options }));
    previous = signer.vkey;
  }
  return missing;
}

/**
 * The signers that may sign at a time: those whose follower's overlap has not ended, newest first.
 *
 * @param history the log's `key` entries, oldest first, those of all signers among them
 * @throws {NephoError} `signing_key_retired` if none is left
 */
export function signersInForce(
  history: readonly KeyEntry[],
  signers: readonly Signer[],
  now: string,
): Signer[] {
  const retired = new Set(
    history.filter((entry) => entry.overlap_until !== null && entry.overlap_until <= now)
      .map((entry) => entry.previous),
  );
  const inForce = signers.filter((signer) => !retired.has(signer.vkey));
  if (inForce.length === 0) {
    throw new NephoError(
      'signing_key_retired',
      `Cannot sign by ${signers.map((signer) => signer.vkey).join(', ')}: the log names '${
        history.at(-1)?.vkey
      }' as the key that followed, configure that one`,
    );
  }
  const order = new Map(history.map((entry, index) => [entry.vkey, index]));
  return inForce.sort((a, b) => (order.get(b.vkey) ?? 0) - (order.get(a.vkey) ?? 0));
}

async function makeKeyEntry(
  signer: Signer,
  { previous, endorser, options }: {
    previous: string | null;
    endorser: Signer | undefined;
    options: KeyEntryOptions;
  },
): Promise<KeyEntry> {
  const { now, overlapMs = DEFAULT_KEY_OVERLAP_MS } = options;
  const entry: KeyEntry = {
    kind: 'key',
    v: 1,
    name: signer.name,
    vkey: signer.vkey,
    not_before: now,
    overlap_until: previous === null
      ? null
      : formatMicros(toMicros(now) + BigInt(Math.trunc(overlapMs)) * 1_000n),
    previous,
    endorsement: null,
    recorded_at: now,
  };
  if (endorser === undefined) return entry;
  const endorsement = await endorser.sign(encodeUtf8(endorsementText(entry)));
  return { ...entry, endorsement: encodeBase64(endorsement) };
}

function unendorsed(vkey: string, previous: string): NephoError {
  return new NephoError(
    'signing_key_unendorsed',
    `Cannot change the signing key to '${vkey}': the log's key '${previous}' must endorse it, configure both, the new one first, until the overlap ends; or, if the old one is lost, set NEPHO_ALLOW_UNENDORSED_KEY='${vkey}'`,
  );
}
