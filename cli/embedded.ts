/** The whole system on one machine: three servers, the worker and the API, each as its own process. */
import path from 'node:path';
import process from 'node:process';
import { z } from 'zod';
import { createDatabase } from '../db/client.ts';
import { findOrMakeProgram } from './binaries.ts';
import {
  type EmbeddedState,
  homePaths,
  openState,
  prepareHome,
  saveState,
} from './embedded_state.ts';
import type { Settings } from './env.ts';
import { DEFAULT_HTTP_PORT } from './environment_schema.ts';
import { lockHome } from './home_lock.ts';
import { type KeepOptions, keepRunning } from './kept_running.ts';
import { ensureOperatorKey } from './operator_key.ts';
import { ownCommand } from './own_program.ts';
import { findPollingFile, pollingInForce } from './polling_files.ts';
import { choosePort } from './ports.ts';
import type { NephoError } from '../meters/errors.ts';
import { prepareStorage } from './prepare_storage.ts';
import { Supervisor } from './processes.ts';
import { type Tell, withProgress } from './progress.ts';
import { removeRunningSystem, type RunningSystem, writeRunningSystem } from './running_system.ts';
import { startNats, startPGlite, startTemporal } from './servers.ts';

export interface EmbeddedOptions {
  /** Of the API, as asked for; null takes the usual one or the next that is free. */
  port: number | null;
  say: Tell;
  /** Ends the start, if it is not through. */
  signal: AbortSignal;
  /** Told once when a part ends that nobody stopped; the system is then to be stopped. */
  onFailure: (error: NephoError) => void;
  /** Variables of the worker and the API beside those that say where the parts are. */
  environment?: Readonly<Record<string, string>>;
  /** Done once the servers run, and before the worker starts. */
  beforeWorker?: (
    servers: { natsUrl: string; temporalAddress: string; shards: number },
  ) => Promise<unknown>;
}

export interface EmbeddedSystem extends RunningSystem {
  readonly state: EmbeddedState;
  readonly signingKeyFiles: readonly string[];
  /** Stops all parts in order. Resolves when no process is left. Safe to call twice. */
  stop(): Promise<void>;
}

const PART_READY_MS = 90_000;
/** The worker ends its batch first, see `shutdownForceTime`. */
const WORKER_GRACE_MS = 30_000;

/**
 * Starts everything, the parts that do not need each other at once.
 *
 * @throws {NephoError} one sentence for what hinders it; nothing is left running then
 */
export async function startEmbedded(
  settings: Settings,
  options: EmbeddedOptions,
): Promise<EmbeddedSystem> {
  const release = lockHome(settings.home);
  const supervisor = new Supervisor(options.onFailure);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    stopping ??= (async () => {
      await removeRunningSystem(settings.home);
      await supervisor.stop();
      release();
    })();
  const giveUp = (): void => void stop();
  options.signal.addEventListener('abort', giveUp);
  try {
    const started = await startParts(settings, supervisor, options);
    return { ...started, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    options.signal.removeEventListener('abort', giveUp);
  }
}

async function startParts(
  settings: Settings,
  supervisor: Supervisor,
  options: EmbeddedOptions,
): Promise<Omit<EmbeddedSystem, 'stop'>> {
  const { say } = options;
  const { home, httpHost: host } = settings;
  const polls = await checkPollingFile(settings, say);
  const state = await openState(settings);
  if (await prepareHome(settings)) say(`Made a signing key: ${homePaths(home).signingKey}`);
  const asked = options.port ?? settings.httpPort;
  const port = await choosePort({ usual: DEFAULT_HTTP_PORT, asked, host });
  if (asked === null && port !== DEFAULT_HTTP_PORT) {
    say(`Port ${DEFAULT_HTTP_PORT} is in use: the API listens on ${port}`);
  }
  const servers = await startServers(settings, { state, supervisor, say });
  const { natsUrl, temporalAddress } = servers;
  const [token] = await Promise.all([
    withProgress(
      'Preparing the database',
      () => prepareDatabase(servers.databaseUrl, home),
      { say },
    ),
    options.beforeWorker?.({ natsUrl, temporalAddress, shards: state.shards }),
  ]);
  const signingKeyFiles = settings.signingKeys.length + settings.signingKeyFiles.length > 0
    ? settings.signingKeyFiles
    : [homePaths(home).signingKey];
  const environment = {
    ...options.environment,
    ...partEnvironment({ state, home, servers, signingKeyFiles }),
  };
  const url = await withProgress(
    'Starting the worker and the API',
    () => startOwnParts(supervisor, { home, port, polls, environment }, options),
    { say },
  );
  const running: RunningSystem = {
    url,
    tokenFile: token,
    pid: process.pid,
    ...servers,
    startedAt: new Date().toISOString(),
  };
  await writeRunningSystem(home, running);
  return { ...running, state, signingKeyFiles };
}

interface Servers {
  natsUrl: string;
  natsMonitorUrl: string | null;
  temporalAddress: string;
  databaseUrl: string;
}

/** A server that is configured is used; the others are started. */
async function startServers(
  settings: Settings,
  options: { state: EmbeddedState; supervisor: Supervisor; say: Tell },
): Promise<Servers> {
  const { state, supervisor, say } = options;
  const context = { home: settings.home, state, supervisor };
  const find = { say };
  // One after the other: making them would fill both cores already, and their progress would mix.
  const natsProgram = settings.natsUrl === null
    ? await findOrMakeProgram('nats-server', settings, find)
    : null;
  const temporalProgram = settings.temporalAddress === null
    ? await findOrMakeProgram('temporal', settings, find)
    : null;
  const starting = Promise.all([
    natsProgram === null ? null : startNats(natsProgram, context),
    temporalProgram === null ? null : startTemporal(temporalProgram, context),
    settings.databaseUrl === null ? startPGlite(context) : null,
  ]);
  const [nats, temporalAddress, databaseUrl] = await withProgress(
    'Starting NATS, Temporal and PGlite',
    () => starting,
    { say },
  );
  if (nats !== null) await saveState(settings.home, { ...state, natsPort: nats.natsPort });
  return {
    natsUrl: nats?.natsUrl ?? settings.natsUrl ?? '',
    natsMonitorUrl: nats?.natsMonitorUrl ?? settings.natsMonitorUrl,
    temporalAddress: temporalAddress ?? settings.temporalAddress ?? '',
    databaseUrl: databaseUrl ?? settings.databaseUrl ?? '',
  };
}

/** @returns the file of the operator's key */
async function prepareDatabase(databaseUrl: string, home: string): Promise<string> {
  const db = createDatabase(databaseUrl, { poolSize: 1, applicationName: 'nepho-start' });
  try {
    await prepareStorage(db.pool, Date.now());
    const token = homePaths(home).operatorToken;
    await ensureOperatorKey(db.pool, token, Date.now());
    return token;
  } finally {
    await db.close();
  }
}

/** What the worker and the API are told: the same variables as in a deployment. */
function partEnvironment(
  { state, home, servers, signingKeyFiles }: {
    state: EmbeddedState;
    home: string;
    servers: Servers;
    signingKeyFiles: readonly string[];
  },
): Record<string, string> {
  return {
    NEPHO_HOME: home,
    DATABASE_URL: servers.databaseUrl,
    NEPHO_NATS_URL: servers.natsUrl,
    NEPHO_TEMPORAL_ADDRESS: servers.temporalAddress,
    NEPHO_DEPLOYMENT: state.deployment,
    NEPHO_SHARDS: String(state.shards),
    NEPHO_LOG_FORMAT: 'json',
    ...servers.natsMonitorUrl === null ? {} : { NEPHO_NATS_MONITOR_URL: servers.natsMonitorUrl },
    ...signingKeyFiles.length === 0
      ? {}
      : { NEPHO_SIGNING_KEY_FILE: signingKeyFiles.join(path.delimiter) },
  };
}

/** @returns the API's address */
async function startOwnParts(
  supervisor: Supervisor,
  { home, port, polls, environment }: {
    home: string;
    port: number;
    /** There is a polling.yaml. */
    polls: boolean;
    environment: Record<string, string>;
  },
  options: KeepOptions,
): Promise<string> {
  const { logs } = homePaths(home);
  const worker = keepRunning(
    supervisor,
    {
      name: 'the worker',
      ...ownCommand('worker'),
      environment,
      logFile: path.join(logs, 'worker.log'),
      graceMs: WORKER_GRACE_MS,
    },
    { schema: z.object({}), timeoutMs: PART_READY_MS },
    options,
  );
  const api = keepRunning(
    supervisor,
    {
      name: 'the API',
      ...ownCommand('api', '--port', String(port)),
      environment,
      logFile: path.join(logs, 'api.log'),
    },
    { schema: z.object({ url: z.string() }), timeoutMs: PART_READY_MS },
    options,
  );
  const parts = [
    api,
    worker,
    ...polls ? [keepPoller(supervisor, { logs, environment }, options)] : [],
  ];
  await Promise.all(parts);
  return (await api).url;
}

/**
 * The sources in force are polled where a polling.yaml says how.
 *
 * @returns false if there is none
 * @throws {NephoError} `polling_faulty` with all its faults, before anything is started
 */
async function checkPollingFile(settings: Settings, say: Tell): Promise<boolean> {
  const isThere = await findPollingFile(settings.pollingFiles).then(() => true, () => false);
  if (!isThere) return false;
  // All collectors' settings are read, which not every start has to wait for.
  const { pollingFileOf } = await import('./cloud_set.ts');
  await pollingInForce(pollingFileOf(settings), (warning) => say(`warning: ${warning}`));
  return true;
}

async function keepPoller(
  supervisor: Supervisor,
  { logs, environment }: { logs: string; environment: Record<string, string> },
  options: KeepOptions,
): Promise<void> {
  await keepRunning(
    supervisor,
    {
      name: 'the poller',
      ...ownCommand('poller'),
      environment,
      logFile: path.join(logs, 'poller.log'),
      graceMs: WORKER_GRACE_MS,
    },
    { schema: z.object({}), timeoutMs: PART_READY_MS },
    options,
  );
}
