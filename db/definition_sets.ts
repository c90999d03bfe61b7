import { leafOfPosition } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** A set of definition files that was in force at some time. */
export interface StoredDefinitionSet<File = { name: string; sha256: string; text: string }> {
  /** 64 hexadecimal digits. */
  digest: string;
  first_seen: string;
  files: File[];
}

/** The newest `definitions` entry of a log. */
export interface DefinitionsInForce {
  log_id: number;
  leaf_index: number;
  recorded_at: string;
  digest: string;
}

/** A set with the whole text of its files, null if no set of this digest was ever in force. */
export async function findDefinitionSet(
  db: Queryable,
  digest: string,
): Promise<StoredDefinitionSet | null> {
  return await withDatabaseErrors(`read definition set '${digest}'`, async () => {
    const { rows } = await db.query<StoredDefinitionSet>(
      `SELECT encode(digest, 'hex') AS digest, first_seen, files
       FROM definition_sets WHERE digest = decode($1, 'hex')`,
      [digest],
    );
    return rows[0] ?? null;
  });
}

/** All sets, the newest first, without the texts of their files. */
export async function listDefinitionSets(
  db: Queryable,
): Promise<StoredDefinitionSet<{ name: string; sha256: string }>[]> {
  return await withDatabaseErrors('list the definition sets', async () => {
    const { rows } = await db.query<StoredDefinitionSet<{ name: string; sha256: string }>>(
      `SELECT encode(digest, 'hex') AS digest, first_seen,
         (SELECT jsonb_agg(file - 'text' ORDER BY n)
          FROM jsonb_array_elements(files) WITH ORDINALITY AS t(file, n)) AS files
       FROM definition_sets ORDER BY definition_set_id DESC`,
    );
    return rows.map((row) => ({ ...row, files: row.files ?? [] }));
  });
}

/** What each log's newest `definitions` entry names, by log; logs without one are left out. */
export async function definitionSetInForce(db: Queryable): Promise<DefinitionsInForce[]> {
  return await withDatabaseErrors('read the definitions in force', async () => {
    const { rows } = await db.query<
      { log_id: number; position: bigint; digest: string; recorded_at: string }
    >(
      `SELECT l.log_id, r.position, r.entry::jsonb ->> 'digest' AS digest,
         r.entry::jsonb ->> 'recorded_at' AS recorded_at
       FROM logs l CROSS JOIN LATERAL (
         SELECT position, entry FROM records
         WHERE kind = 'definitions' AND position >= l.log_id * (1::bigint << 40)
           AND position < (l.log_id + 1) * (1::bigint << 40)
         ORDER BY position DESC LIMIT 1
       ) r
       ORDER BY l.log_id`,
    );
    return rows.map(({ position, ...row }) => ({
      ...row,
      leaf_index: leafOfPosition(Number(position)),
    }));
  });
}
