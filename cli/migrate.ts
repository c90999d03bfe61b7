import type { Command } from 'commander';
import { createDatabase } from '../db/client.ts';
import { readSettings } from './env.ts';
import { ensureOperatorKey } from './operator_key.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { prepareStorage } from './prepare_storage.ts';
import { requireSettings } from './required_settings.ts';

interface Options extends JsonOption {
  operatorKey?: string;
}

export function register(program: Command): void {
  withJson(
    program.command('migrate')
      .description('bring the database to the schema of this program')
      .option('--operator-key <file>', "make the first operator's key and write it there"),
  ).action(migrateDatabase);
}

async function migrateDatabase(options: Options): Promise<void> {
  const { databaseUrl } = requireSettings(readSettings(), 'nepho migrate', ['databaseUrl']);
  const db = createDatabase(databaseUrl, { poolSize: 1, applicationName: 'nepho-migrate' });
  try {
    const report = await prepareStorage(db.pool, Date.now());
    const made = options.operatorKey !== undefined &&
      await ensureOperatorKey(db.pool, options.operatorKey, Date.now());
    printResult({ ...report, operator_key_made: made }, options, () => {
      const { before, after, partitions } = report;
      const version = before === after
        ? `The schema is at version ${after} already`
        : `The schema went from version ${before} to ${after}`;
      const schema = `${version}, ${partitions} partitions were made\n`;
      return made ? `${schema}The operator's key is in ${options.operatorKey}\n` : schema;
    });
  } finally {
    await db.close();
  }
}
