import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** The public half of a key that signs checkpoints. Public, like the checkpoints. */
export interface StoredSigningKey {
  name: string;
  keyHash: string;
  algorithm: string;
  publicKey: Uint8Array;
  /** C2SP signed-note verifier key. */
  vkey: string;
  notBefore: string;
  notAfter: string | null;
  /** Of the log entry that announced it. */
  position: number | null;
}

interface KeyRow {
  name: string;
  key_hash: string;
  algorithm: string;
  public_key: Uint8Array;
  vkey: string;
  not_before: string;
  not_after: string | null;
  position: bigint | null;
}

/** By name, the oldest first. */
export async function listSigningKeys(db: Queryable): Promise<StoredSigningKey[]> {
  return await withDatabaseErrors('list the signing keys', async () => {
    const { rows } = await db.query<KeyRow>(
      `SELECT name, key_hash, algorithm, public_key, vkey, not_before, not_after, position
       FROM keys ORDER BY name, not_before, key_hash`,
    );
    return rows.map((row) => ({
      name: row.name,
      keyHash: row.key_hash,
      algorithm: row.algorithm,
      publicKey: row.public_key,
      vkey: row.vkey,
      notBefore: row.not_before,
      notAfter: row.not_after,
      position: row.position === null ? null : Number(row.position),
    }));
  });
}

/** Idempotent: a key that is known keeps what was stored first, but for the end of its validity. */
export async function storeSigningKey(db: Queryable, key: StoredSigningKey): Promise<void> {
  await withDatabaseErrors(`store signing key '${key.name}'`, async () => {
    await db.query(
      `INSERT INTO keys
         (name, key_hash, algorithm, public_key, vkey, not_before, not_after, position)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (name, key_hash) DO UPDATE SET not_after = excluded.not_after`,
      [
        key.name,
        key.keyHash,
        key.algorithm,
        key.publicKey,
        key.vkey,
        key.notBefore,
        key.notAfter,
        key.position,
      ],
    );
  });
}
