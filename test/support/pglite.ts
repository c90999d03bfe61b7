import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** PGlite behind its socket in a process of its own, on a data directory of its own. */
export interface PGliteServer {
  /** Changes with each start: the port is any free one. */
  readonly url: string;
  readonly pid: number;
  /** SIGTERM and a start on the same data. */
  restart(): Promise<void>;
  /** kill -9 and a start on the same data. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

const ENTRY = fileURLToPath(new URL('../../cli/pglite_server.ts', import.meta.url));

export async function startPGlite(): Promise<PGliteServer> {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-pglite-'));
  let running = await launch(directory);
  process.once('exit', () => running.child.kill('SIGKILL'));
  const again = async (signal: 'SIGTERM' | 'SIGKILL') => {
    await end(running.child, signal);
    running = await launch(directory);
  };
  return {
    get url() {
      return `postgres://nepho@127.0.0.1:${running.port}/postgres`;
    },
    get pid() {
      return running.child.pid ?? 0;
    },
    restart: () => again('SIGTERM'),
    crash: () => again('SIGKILL'),
    stop: async () => {
      await end(running.child, 'SIGTERM');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Running {
  child: ChildProcess;
  port: number;
}

async function launch(directory: string): Promise<Running> {
  const runtime = 'Deno' in globalThis
    ? ['run', '-A', '--no-check', '--node-modules-dir=manual']
    : ['--import', 'tsx'];
  const child = spawn(process.execPath, [
    ...runtime,
    ENTRY,
    '--data',
    directory,
    '--until-stdin-ends',
  ], { stdio: ['pipe', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-10_000);
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`PGlite ended with ${code}: ${log}`)));
  });
  const { port } = JSON.parse(line) as { port: number };
  return { child, port };
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}
