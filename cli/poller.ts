import type { Command } from 'commander';
import { closeBus, connectBus } from '../bus/connection.ts';
import { createDatabase } from '../db/client.ts';
import { checkSchemaVersion } from '../db/migrate.ts';
import { readSettings } from './env.ts';
import { configureLogging, logger } from './logging.ts';
import { busOptions } from './nats_settings.ts';
import { CloudSet, pollingFileOf } from './cloud_set.ts';
import { pollDeps } from './poll_worker.ts';
import { pollingInForce } from './polling_files.ts';
import { requireSettings } from './required_settings.ts';
import { runPoller } from './run_poller.ts';
import { withRunningParts } from './running_parts.ts';
import { announceReady, endOfService } from './signals.ts';

export function register(program: Command): void {
  program.command('poller')
    .description('poll the sources in force, by polling.yaml: a Temporal worker')
    .action(poll);
}

async function poll(): Promise<void> {
  const settings = requireSettings(await withRunningParts(readSettings()), 'nepho poller', [
    'databaseUrl',
    'natsUrl',
    'temporalAddress',
  ]);
  await configureLogging(settings, 'poller');
  const end = endOfService();
  const log = logger('poller');
  const source = pollingFileOf(settings);
  // A faulty file is told at once rather than at the first cycle.
  await pollingInForce(source, (warning) => log.warn('polling_file', { warning }));
  const db = createDatabase(settings.databaseUrl, { applicationName: 'nepho-poller' });
  const nats = await connectBus(await busOptions(settings, 'nepho-poller'));
  const clouds = new CloudSet(settings, source);
  try {
    await checkSchemaVersion(db.pool);
    const worker = await runPoller(pollDeps({ db, nats, clouds }), {
      address: settings.temporalAddress,
      namespace: settings.temporalNamespace,
    });
    announceReady({});
    await Promise.race([end.asked, worker.ended]);
    await worker.stop();
  } finally {
    await clouds.close();
    await closeBus(nats);
    await db.close();
    end.dispose();
  }
}
