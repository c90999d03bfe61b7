import type { Pool } from 'pg';
import { sha256Hex } from '../ledger/sha256.ts';
import type { DefinitionFile } from '../meters/definition_compile.ts';
import { assert } from '../meters/assert.ts';
import { withDatabaseErrors } from './errors.ts';

/** The number of a definition set, which is stored whole the first time it is met. Idempotent. */
export async function enterDefinitionSet(
  pool: Pool,
  { digest, files }: { digest: string; files: readonly DefinitionFile[] },
): Promise<number> {
  return await withDatabaseErrors('store a definition set', async () => {
    const listed = files.map(({ name, text }) => ({ name, sha256: sha256Hex(text), text }));
    await pool.query(
      `INSERT INTO definition_sets (digest, files, first_seen) VALUES (decode($1, 'hex'), $2, now())
       ON CONFLICT (digest) DO NOTHING`,
      [digest, JSON.stringify(listed)],
    );
    const found = await pool.query<{ definition_set_id: number }>(
      "SELECT definition_set_id FROM definition_sets WHERE digest = decode($1, 'hex')",
      [digest],
    );
    const id = found.rows[0]?.definition_set_id;
    assert(id !== undefined, `the definition set '${digest}' was found or made`);
    return id;
  });
}
