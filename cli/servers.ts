/** The three servers of an embedded system, each as one process: NATS, Temporal, PGlite. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type EmbeddedState, homePaths } from './embedded_state.ts';
import { ownProgram } from './own_program.ts';
import { choosePort, freePort } from './ports.ts';
import { startAnnounced } from './announced_child.ts';
import type { Supervisor } from './processes.ts';

const HOST = '127.0.0.1';
const USUAL_NATS_PORT = 4222;
const READY_MS = 60_000;
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
  const { home, state, supervisor } = options;
  const paths = homePaths(home);
  const port = await choosePort({
    usual: state.natsPort ?? USUAL_NATS_PORT,
    asked: null,
    host: HOST,
  });
  const monitorPort = await freePort(HOST);
  const config = path.join(paths.nats, 'nats.conf');
  await writeFile(config, natsConfig({ port, monitorPort, state, folder: paths.nats }), {
    mode: 0o600,
  });
  const child = await supervisor.start({
    name: 'nats-server',
    command: program,
    args: ['-c', config],
    logFile: path.join(paths.logs, 'nats.log'),
  });
  const natsMonitorUrl = `http://${HOST}:${monitorPort}`;
  await child.until((signal) => answers(`${natsMonitorUrl}/healthz`, signal), READY_MS);
  return {
    natsUrl: `nats://${USER}:${state.natsPassword}@${HOST}:${port}`,
    natsMonitorUrl,
    natsPort: port,
  };
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
  const { home, supervisor } = options;
  const paths = homePaths(home);
  const [port, httpPort] = [await freePort(HOST), await freePort(HOST)];
  const child = await supervisor.start({
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
      // The server's own settings wait for the disk at each step: 21 workflows a second against 41.
      '--sqlite-pragma=journal_mode=wal',
      '--sqlite-pragma=synchronous=1',
      '--log-level=warn',
    ],
    logFile: path.join(paths.logs, 'temporal.log'),
  });
  const namespace = `http://${HOST}:${httpPort}/api/v1/namespaces/default`;
  await child.until((signal) => answers(namespace, signal), READY_MS);
  return `${HOST}:${port}`;
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
