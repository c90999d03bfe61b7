import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atExit } from './at_exit.ts';

/** PGlite behind its socket in a process of its own, on a data directory of its own. */
export interface PGliteServer {
  /** Changes with each start: the port is any free one. */
  readonly url: string;
  readonly pid: number;
  /** The arguments that it was started with. */
  readonly command: string[];
  /** SIGTERM and a start on the same data. */
  restart(): Promise<void>;
  /** kill -9 and a start on the same data. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

const ENTRY = fileURLToPath(new URL('../../cli/pglite_server.ts', import.meta.url));

export async function startPGlite(
  { password = '' }: { password?: string } = {},
): Promise<PGliteServer> {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-pglite-'));
  const command = commandOf(directory);
  let running = await launch(command, password);
  const forget = atExit(() => {
    running.child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  const again = async (signal: 'SIGTERM' | 'SIGKILL') => {
    await end(running.child, signal);
    running = await launch(command, password);
  };
  return {
    command,
    get url() {
      const secret = encodeURIComponent(password);
      return `postgres://nepho:${secret}@127.0.0.1:${running.port}/postgres`;
    },
    get pid() {
      return running.child.pid ?? 0;
    },
    restart: () => again('SIGTERM'),
    crash: () => again('SIGKILL'),
    stop: async () => {
      await end(running.child, 'SIGTERM');
      rmSync(directory, { recursive: true, force: true });
      forget();
    },
  };
}

interface Running {
  child: ChildProcess;
  port: number;
}

function commandOf(directory: string): string[] {
  const runtime = 'Deno' in globalThis
    ? ['run', '-A', '--no-check', '--node-modules-dir=manual']
    : ['--import', 'tsx'];
  return [...runtime, ENTRY, '--data', directory, '--until-stdin-ends'];
}

async function launch(command: readonly string[], password: string): Promise<Running> {
  const child = spawn(process.execPath, [...command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NEPHO_PGLITE_PASSWORD: password },
  });
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
