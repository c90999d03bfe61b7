import type { NatsConnection } from '@nats-io/nats-core';
import { Client, Connection } from '@temporalio/client';
import type { Command } from 'commander';
import { Registry } from 'prom-client';
import type { ApiDeps } from '../api/deps.ts';
import { createApi } from '../api/handler.ts';
import { type RunningApi, serveApi } from '../api/serve.ts';
import { closeBus, connectBus } from '../bus/connection.ts';
import { ArchiveDirectory } from '../ledger/archive_directory.ts';
import { createDatabase } from '../db/client.ts';
import { checkSchemaVersion } from '../db/migrate.ts';
import { createApiIntake } from './api_intake.ts';
import { readSettings, type Settings } from './env.ts';
import { DEFAULT_HTTP_PORT } from './environment_schema.ts';
import { structuredLog } from './ingest_worker.ts';
import { configureLogging } from './logging.ts';
import { busOptions } from './nats_settings.ts';
import { portOf } from './port_option.ts';
import { requireSettings } from './required_settings.ts';
import { announceReady, endOfService } from './signals.ts';
import { loadUsageRules } from './usage_rules_file.ts';
import { gatherMetrics } from './worker_metrics.ts';

interface Options {
  port?: number;
}

export function register(program: Command): void {
  program.command('api')
    .description('serve the API: tRPC, the signed logs, health and metrics')
    .option('--port <port>', 'where to listen, instead of NEPHO_HTTP_PORT', portOf)
    .action(serve);
}

async function serve(options: Options): Promise<void> {
  const settings = requireSettings(readSettings(), 'nepho api', ['databaseUrl']);
  await configureLogging(settings, 'api');
  const end = endOfService();
  const running = await startApi(settings, options.port ?? settings.httpPort ?? DEFAULT_HTTP_PORT);
  announceReady({ url: running.url });
  await end.asked;
  await running.close();
  end.dispose();
}

/** The API with its connections; without NATS or Temporal configured it can only be read. */
export async function startApi(
  settings: Settings & { databaseUrl: string },
  port: number,
): Promise<RunningApi> {
  const db = createDatabase(settings.databaseUrl, { applicationName: 'nepho-api' });
  const closers: (() => Promise<unknown>)[] = [() => db.close()];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    await checkSchemaVersion(db.pool);
    const { natsUrl } = settings;
    const nats = natsUrl === null
      ? null
      : await connectBus(await busOptions({ ...settings, natsUrl }, 'nepho-api'));
    if (nats !== null) closers.push(() => closeBus(nats));
    const temporal = settings.temporalAddress === null
      ? null
      // Without waiting: while Temporal is away all but its actors can be asked for. And without the
      // SDK's retries: one that is due after the connection was closed ends the process.
      : Connection.lazy({ address: settings.temporalAddress, interceptors: [] });
    if (temporal !== null) closers.push(() => temporal.close());
    const usageRules = await loadUsageRules(settings.usageRulesFile);
    const api = createApi(apiDeps(settings, { db, nats, temporal, usageRules }));
    const running = await serveApi(api, { port, host: settings.httpHost });
    closers.push(() => running.close());
    return { ...running, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Connections {
  db: ApiDeps['db'];
  nats: NatsConnection | null;
  temporal: Connection | null;
  usageRules: ApiDeps['usageRules'];
}

function apiDeps(settings: Settings, parts: Connections): ApiDeps {
  const { db, nats, temporal, usageRules } = parts;
  const { shards, deployment, temporalNamespace: namespace } = settings;
  const client = temporal === null ? null : new Client({ connection: temporal, namespace });
  return {
    db,
    deployment,
    shards,
    archives: new ArchiveDirectory(settings.archiveDir),
    usageRules,
    intake: nats === null ? null : createApiIntake(nats, { shards, nowMs: Date.now }),
    workflows: client?.workflow ?? null,
    schedules: client?.schedule ?? null,
    registry: new Registry(),
    workerMetrics: nats === null ? null : () => gatherMetrics(nats),
    log: structuredLog('api'),
    now: Date.now,
  };
}
