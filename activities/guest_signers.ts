import type { Queryable } from '../db/client.ts';
import { newestRecords } from '../db/records.ts';
import { parseEntry } from '../ledger/entry.ts';
import { type KeyEntry, signersInForce } from '../ledger/key_entry.ts';
import type { Signer } from '../ledger/signer.ts';
import { NephoError } from '../meters/errors.ts';

/** Rotations that a log is read back for. */
const MAX_KEYS = 1_000;

/** The `key` entries of a log, oldest first. */
export async function readKeyEntries(db: Queryable, logId: number): Promise<KeyEntry[]> {
  const records = await newestRecords(db, logId, { kind: 'key', limit: MAX_KEYS });
  return records.toReversed().map((entry) => parseEntry(entry) as KeyEntry);
}

/**
 * Who signs for a guest of a log (db/log_guest.ts). A guest enters no key: that is for the log's own writer,
 * so keys that the log does not name yet do not sign.
 *
 * @throws {NephoError} `signing_key_unknown`, retryable, until ingest has entered one of the keys;
 * `signing_key_retired`
 */
export async function guestSigners(
  db: Queryable,
  logId: number,
  { signers, now }: { signers: readonly Signer[]; now: string },
): Promise<Signer[]> {
  const history = await readKeyEntries(db, logId);
  const known = new Set(history.map(({ vkey }) => vkey));
  const named = signers.filter(({ vkey }) => known.has(vkey));
  if (named.length === 0) {
    throw new NephoError(
      'signing_key_unknown',
      `Cannot append to log ${logId}: it names none of the ${signers.length} signing keys configured yet, as the ingest of its shard does first`,
      { retryable: true, context: { log_id: logId } },
    );
  }
  return signersInForce(history, named, now);
}
