import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { freePort } from './free_port.ts';

/** Temporal's development server, with its state in a file so that it survives a restart. */
export interface TemporalServer {
  /** `host:port` of the frontend. */
  readonly address: string;
  readonly namespace: 'default';
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts again on the same port with the same state. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const ATTEMPTS = 3;

/** Why no Temporal can be had here, or false if one can. */
export function temporalSkipReason(): string | false {
  return findTemporal() === null
    ? 'no Temporal: run npm start once, or set NEPHO_TEMPORAL_CLI'
    : false;
}

export async function startTemporal(): Promise<TemporalServer> {
  const binary = findTemporal();
  if (binary === null) throw new Error('no Temporal binary');
  const directory = mkdtempSync(join(tmpdir(), 'nepho-temporal-'));
  let port = await freePort();
  const address = (): string => `127.0.0.1:${port}`;
  let server: ChildProcess | null = null;
  const killNow = (): void => {
    server?.kill('SIGKILL');
  };
  process.once('exit', killNow);
  const start = async (): Promise<void> => {
    server = spawn(binary, [
      'server',
      'start-dev',
      '--headless',
      '--ip=127.0.0.1',
      `--port=${port}`,
      `--http-port=${await freePort()}`,
      `--db-filename=${join(directory, 'temporal.db')}`,
      '--sqlite-pragma=journal_mode=wal',
      '--sqlite-pragma=synchronous=1',
      '--log-level=error',
    ], { stdio: 'ignore' });
    await answers(address(), server);
  };
  const kill = async (): Promise<void> => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server?.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  };
  for (let attempt = 1;; attempt += 1) {
    try {
      await start();
      break;
    } catch (error) {
      // Somebody may have taken a port between our look and the server's.
      await kill();
      if (attempt === ATTEMPTS) throw error;
      port = await freePort();
    }
  }
  return {
    address: address(),
    namespace: 'default',
    start,
    kill,
    stop: async () => {
      await kill();
      process.off('exit', killNow);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function answers(address: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2 seconds' });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      await connection.close();
      return;
    } catch (error) {
      const hasEnded = server.exitCode !== null || server.signalCode !== null;
      if (hasEnded || Date.now() > deadline) throw error;
      await delay(100);
    }
  }
}

function findTemporal(): string | null {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const candidates = [
    process.env['NEPHO_TEMPORAL_CLI'],
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'temporal')),
    join(cache, 'nepho', 'bin', 'temporal'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path) && runs(path)) ?? null;
}

function runs(path: string): boolean {
  return spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
}
