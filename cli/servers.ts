/** The three servers of an embedded system, each as one process: NATS, Temporal, PGlite. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type EmbeddedState, homePaths } from './embedded_state.ts';
import { ownProgram } from './own_program.ts';
import { isNephoError } from '../meters/errors.ts';
import type { ChildSpec } from './guarded_child.ts';
import { choosePort, freePort } from './ports.ts';
import { startAnnounced } from './announced_child.ts';
import type { Supervisor } from './processes.ts';

const HOST = '127.0.0.1';
const USUAL_NATS_PORT = 4222;
const READY_MS = 60_000;
const START_ATTEMPTS = 3;
/** PGlite replays its write-ahead log after a crash, on one thread. */
const PGLITE_READY_MS = 180_000;
const POLL_MS = 25;
const ANSWER_MS = 2_000;
const USER = 'nepho';

export interface ServerOptions {
  home: string;
  state: EmbeddedState;
  supervisor: Supervisor;
}

export interface NatsAddress {
  natsUrl: string;
  natsMonitorUrl: string;
  natsPort: number;
}

export async function startNats(program: string, options: ServerOptions): Promise<NatsAddress> {
  const { home, state } = options;
  const paths = homePaths(home);
  const config = path.join(paths.nats, 'nats.conf');
  return await onFreePorts(async (isFirst) => {
    const usual = state.natsPort ?? USUAL_NATS_PORT;
    const port = isFirst
      ? await choosePort({ usual, asked: null, host: HOST })
      : await freePort(HOST);
    const monitorPort = await freePort(HOST);
    await writeFile(config, natsConfig({ port, monitorPort, state, folder: paths.nats }), {
      mode: 0o600,
    });
    const natsMonitorUrl = `http://${HOST}:${monitorPort}`;
    await startServer(options.supervisor, {
      name: 'nats-server',
      command: program,
      args: ['-c', config],
      logFile: path.join(paths.logs, 'nats.log'),
    }, `${natsMonitorUrl}/healthz`);
    return {
      natsUrl: `nats://${USER}:${state.natsPassword}@${HOST}:${port}`,
      natsMonitorUrl,
      natsPort: port,
    };
  });
}

/**
 * `sync_interval: always`, although this may be a laptop: RabbitMQ is told that a notification is ours
 * as soon as NATS acknowledges it, so that must hold after a power cut. docs/running.md has the cost.
 */
function natsConfig(options: {
  port: number;
  monitorPort: number;
  state: EmbeddedState;
  folder: string;
}): string {
  return `server_name: nepho
listen: "${HOST}:${options.port}"
http: "${HOST}:${options.monitorPort}"
jetstream {
  store_dir: ${JSON.stringify(path.join(options.folder, 'jetstream'))}
  sync_interval: always
}
authorization { user: ${USER}, password: ${JSON.stringify(options.state.natsPassword)} }
`;
}

/** @returns `host:port` of the frontend */
export async function startTemporal(program: string, options: ServerOptions): Promise<string> {
  const paths = homePaths(options.home);
  return await onFreePorts(async () => {
    const [port, httpPort] = [await freePort(HOST), await freePort(HOST)];
    await startServer(options.supervisor, {
      name: 'temporal',
      command: program,
      args: [
        'server',
        'start-dev',
        '--headless',
        `--ip=${HOST}`,
        `--port=${port}`,
        `--http-port=${httpPort}`,
        `--db-filename=${paths.temporal}`,
        // Its own settings wait for the disk at each step: 21 workflows a second against 41.
        '--sqlite-pragma=journal_mode=wal',
        '--sqlite-pragma=synchronous=1',
        '--log-level=warn',
      ],
      logFile: path.join(paths.logs, 'temporal.log'),
    }, `http://${HOST}:${httpPort}/api/v1/namespaces/default`);
    return `${HOST}:${port}`;
  });
}

/** @returns the database's address, with its password */
export async function startPGlite({ home, state, supervisor }: ServerOptions): Promise<string> {
  const paths = homePaths(home);
  const { port } = await startAnnounced(supervisor, {
    name: 'PGlite',
    ...ownProgram('cli/pglite_server.ts', '--data', paths.pglite),
    environment: { NEPHO_PGLITE_PASSWORD: state.pglitePassword },
    logFile: path.join(paths.logs, 'pglite.log'),
  }, { schema: z.object({ port: z.int() }), timeoutMs: PGLITE_READY_MS });
  return `postgres://${USER}:${state.pglitePassword}@${HOST}:${port}/postgres`;
}

/**
 * A port that is free when we look may be another's when the server takes it, and Temporal takes some
 * that nobody can name to it: then it ends at once, and is started again on others.
 */
async function onFreePorts<T>(start: (isFirst: boolean) => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt += 1) {
    try {
      return await start(attempt === 1);
    } catch (error) {
      if (attempt === START_ATTEMPTS || !(isNephoError(error) && error.retryable)) throw error;
    }
  }
}

/** @throws {NephoError} `process_failed`, retryable if it ended before it was ready */
async function startServer(
  supervisor: Supervisor,
  spec: ChildSpec,
  readyUrl: string,
): Promise<void> {
  let isReady = false;
  const child = await supervisor.start({
    ...spec,
    onFailure: (error) => {
      if (isReady) supervisor.onFailure(error);
    },
  });
  await child.until((signal) => answers(readyUrl, signal), READY_MS);
  isReady = true;
}

/** Waits until an address answers as it should, or until nobody waits any more. */
async function answers(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // Not listening yet.
    }
    await delay(POLL_MS);
  }
}
