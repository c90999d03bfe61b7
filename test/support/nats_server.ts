import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free_port.ts';

/** A nats-server of the test's own with JetStream on disk. */
export interface NatsServer {
  readonly url: string;
  /** Of the HTTP monitoring, `http://127.0.0.1:port`. */
  readonly monitorUrl: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts again on the same ports with the same disk. */
  start(): Promise<void>;
  /** Ends it as an operator would, and returns when it has. */
  shutDown(): Promise<void>;
  stop(): Promise<void>;
}

export interface NatsServerOptions {
  /** As nats-server's `sync_interval`; `always` unless given. */
  syncInterval?: string;
  /** Bytes of the largest message; the server's own 1 MiB unless given. */
  maxPayload?: number;
  /** Further lines of its configuration. */
  config?: string;
}

/** 2.10, as thousands and units. */
const OLDEST_VERSION = 2_010;
const START_TIMEOUT_MS = 15_000;

/** Why no nats-server can be had here, or false if one can. */
export function natsSkipReason(): string | false {
  return findNats() === null
    ? 'no nats-server 2.10 or newer: run npm start once, or set NEPHO_NATS_SERVER'
    : false;
}

export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = findNats();
  if (binary === null) throw new Error('no nats-server binary');
  const directory = mkdtempSync(join(tmpdir(), 'nepho-nats-'));
  const [port, monitorPort] = [await freePort(), await freePort()];
  const monitorUrl = `http://127.0.0.1:${monitorPort}`;
  const configFile = join(directory, 'nats.conf');
  writeFileSync(configFile, configOf(directory, { port, monitorPort }, options));
  let server: ChildProcess | null = null;
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server?.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  const killNow = (): void => {
    server?.kill('SIGKILL');
  };
  const start = async (): Promise<void> => {
    server = spawn(binary, ['-c', configFile], { stdio: 'ignore' });
    await healthy(monitorUrl, join(directory, 'log'));
  };
  process.once('exit', killNow);
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    monitorUrl,
    start,
    kill: () => end('SIGKILL'),
    shutDown: () => end('SIGTERM'),
    stop: async () => {
      await end('SIGKILL');
      process.off('exit', killNow);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configOf(
  directory: string,
  ports: { port: number; monitorPort: number },
  options: NatsServerOptions,
): string {
  return [
    `listen: "127.0.0.1:${ports.port}"`,
    `http: "127.0.0.1:${ports.monitorPort}"`,
    `log_file: ${JSON.stringify(join(directory, 'log'))}`,
    `max_payload: ${options.maxPayload ?? 1_048_576}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(join(directory, 'jetstream'))}`,
    `  sync_interval: ${JSON.stringify(options.syncInterval ?? 'always')}`,
    '}',
    options.config ?? '',
  ].join('\n');
}

async function healthy(monitorUrl: string, logFile: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const answer = await fetch(`${monitorUrl}/healthz`);
      await answer.body?.cancel();
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline) {
      throw new Error(`nats-server did not start: ${readFileSync(logFile, 'utf8')}`);
    }
    await delay(20);
  }
}

function findNats(): string | null {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const candidates = [
    process.env['NEPHO_NATS_SERVER'],
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'nats-server')),
    join(cache, 'nepho', 'bin', 'nats-server'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path) && isNewEnough(path)) ??
    null;
}

/** Debian 12 has 2.9, which knows neither metadata of streams nor `sync_interval: always`. */
function isNewEnough(path: string): boolean {
  const { stdout } = spawnSync(path, ['-v'], { encoding: 'utf8' });
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
  return Number(major) * 1_000 + Number(minor) >= OLDEST_VERSION;
}
