/** What the commands of the audit run on: the database, the archives, the keys that are believed. */
import { existsSync } from 'node:fs';
import type { AuditDeps } from '../activities/audit_everything.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { checkSchemaVersion } from '../db/migrate.ts';
import { ArchiveDirectory } from '../ledger/archive_directory.ts';
import { loadSigners } from '../ledger/key_file.ts';
import { NephoError } from '../meters/errors.ts';
import { homePaths, openState } from './embedded_state.ts';
import { readSettings, type Settings } from './env.ts';
import { requireSettings } from './required_settings.ts';
import { withRunningParts } from './running_parts.ts';
import { trustedKeys } from './trusted_keys.ts';
import { bundleWorkflows } from './workflow_bundle.ts';

export interface AuditParts {
  db: Database;
  deps: AuditDeps;
  settings: Settings;
}

/**
 * Runs `work` on a database, that of DATABASE_URL or of the embedded system that runs.
 *
 * @param vkeys verifier keys, or files of such; those of the configured signing keys unless given
 */
export async function withAuditParts<Result>(
  command: string,
  vkeys: readonly string[],
  work: (parts: AuditParts) => Promise<Result>,
): Promise<Result> {
  const { db, settings, archives } = await openStore(command);
  try {
    const deps: AuditDeps = {
      pool: db.pool,
      archives,
      vkeys: vkeys.length > 0 ? await trustedKeys(vkeys, '') : await ownVkeys(settings),
      replay: lazyReplayer(),
      nowMs: Date.now,
    };
    return await work({ db, deps, settings });
  } finally {
    await db.close();
  }
}

/** The database and the folder of archives alone. */
export async function openStore(
  command: string,
): Promise<{ db: Database; settings: Settings; archives: ArchiveDirectory }> {
  const settings = requireSettings(await withRunningParts(readSettings()), command, [
    'databaseUrl',
  ]);
  const db = createDatabase(settings.databaseUrl, { poolSize: 4, applicationName: 'nepho-audit' });
  try {
    await checkSchemaVersion(db.pool);
  } catch (error) {
    await db.close();
    throw error;
  }
  return { db, settings, archives: new ArchiveDirectory(settings.archiveDir) };
}

/** The public keys of the signing keys that are configured, or of the embedded system. */
async function ownVkeys(settings: Settings): Promise<string[]> {
  const isConfigured = settings.signingKeys.length + settings.signingKeyFiles.length > 0;
  const paths = homePaths(settings.home);
  if (!isConfigured && !existsSync(paths.state)) {
    throw new NephoError(
      'vkey_missing',
      'Cannot audit without a key to believe: give --vkey, or configure the signing keys',
    );
  }
  const signers = await loadSigners({
    name: existsSync(paths.state) ? (await openState(settings)).deployment : settings.deployment,
    values: settings.signingKeys,
    files: isConfigured ? settings.signingKeyFiles : [paths.signingKey],
  });
  return signers.map(({ vkey }) => vkey);
}

async function makeReplayer(): Promise<AuditDeps['replay']> {
  // Temporal's packages take a second to load.
  const { historyReplayer } = await import('./replay_history.ts');
  const { logTemporalBy } = await import('./run_worker.ts');
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  logTemporalBy(silent);
  return historyReplayer(await bundleWorkflows());
}

/** Workflows are bundled when the first history is to be replayed: it takes seconds. */
function lazyReplayer(): AuditDeps['replay'] {
  let making: Promise<AuditDeps['replay']> | null = null;
  return async (history, workflowId) => {
    making ??= makeReplayer();
    const replay = await making;
    await replay(history, workflowId);
  };
}
