import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** A key of the API, without its secret: that is never stored, only SHA-256 of it is. */
export interface ApiKeyRow {
  api_key_id: string;
  name: string;
  role: string;
  /** Whose data the bearer of a key of role `project` sees. */
  project_id: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface NewApiKey {
  apiKeyId: string;
  name: string;
  role: 'operator' | 'project';
  projectId: string | null;
  /** SHA-256 of the secret. */
  digest: Uint8Array;
  /** Canonical timestamps. */
  createdAt: string;
  expiresAt: string | null;
}

const COLUMNS = 'api_key_id, name, role, project_id, created_at, expires_at, revoked_at';

/** @throws {NephoError} `already_exists` for an id or a secret that is there */
export async function createApiKey(db: Queryable, key: NewApiKey): Promise<ApiKeyRow> {
  return await withDatabaseErrors(`store API key '${key.apiKeyId}'`, async () => {
    const { rows } = await db.query<ApiKeyRow>(
      `INSERT INTO api_keys (api_key_id, name, role, project_id, digest, created_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
      [
        key.apiKeyId,
        key.name,
        key.role,
        key.projectId,
        key.digest,
        key.createdAt,
        key.expiresAt,
      ],
    );
    return rows[0] as ApiKeyRow;
  });
}

/** The key whose secret has this SHA-256, be it valid or not; null if there is none. */
export async function findApiKey(db: Queryable, digest: Uint8Array): Promise<ApiKeyRow | null> {
  return await withDatabaseErrors('look an API key up', async () => {
    const { rows } = await db.query<ApiKeyRow>(
      `SELECT ${COLUMNS} FROM api_keys WHERE digest = $1`,
      [digest],
    );
    return rows[0] ?? null;
  });
}

/** The oldest first. */
export async function listApiKeys(db: Queryable): Promise<ApiKeyRow[]> {
  return await withDatabaseErrors('list the API keys', async () => {
    const { rows } = await db.query<ApiKeyRow>(
      `SELECT ${COLUMNS} FROM api_keys ORDER BY created_at, api_key_id`,
    );
    return rows;
  });
}

/** Ends a key at `now`; one that was revoked before keeps its time. Null if there is none of the id. */
export async function revokeApiKey(
  db: Queryable,
  apiKeyId: string,
  now: string,
): Promise<ApiKeyRow | null> {
  return await withDatabaseErrors(`revoke API key '${apiKeyId}'`, async () => {
    const { rows } = await db.query<ApiKeyRow>(
      `UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE api_key_id = $1
       RETURNING ${COLUMNS}`,
      [apiKeyId, now],
    );
    return rows[0] ?? null;
  });
}
