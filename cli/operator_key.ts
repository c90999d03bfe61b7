/** The first key of the API: somebody must be an operator before keys can be made through the API. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import type { Pool } from 'pg';
import { digestOfSecret, newSecret } from '../api/auth.ts';
import { createApiKey } from '../db/api_keys.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';

/**
 * Sees to it that `file` holds an operator's key, readable by its owner alone. A file that is there is
 * believed, for its key may have been revoked on purpose.
 *
 * @param nowMs milliseconds since 1970
 * @returns true if a key was made
 * @throws {NephoError} `key_file_unusable`
 */
export async function ensureOperatorKey(pool: Pool, file: string, nowMs: number): Promise<boolean> {
  if (await isWritten(file)) return false;
  const secret = newSecret();
  let handle;
  try {
    handle = await open(file, 'wx', 0o600);
    await handle.writeFile(`${secret}\n`);
    await handle.sync();
  } catch (cause) {
    throw new NephoError(
      'key_file_unusable',
      `Cannot write the operator's key to '${file}': name a file in a folder that exists`,
      { cause },
    );
  } finally {
    await handle?.close();
  }
  try {
    await createApiKey(pool, {
      apiKeyId: `key-${randomUUID()}`,
      name: 'operator',
      role: 'operator',
      projectId: null,
      digest: digestOfSecret(secret),
      createdAt: formatMillis(nowMs),
      expiresAt: null,
    });
  } catch (error) {
    // A file with a key that no database knows would be believed for ever.
    await rm(file, { force: true });
    throw error;
  }
  return true;
}

async function isWritten(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim() !== '';
}
