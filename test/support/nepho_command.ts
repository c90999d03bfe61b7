/** Runs the `nepho` command as a person would, in a process of its own. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export interface CommandResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

const PROGRAM = fileURLToPath(new URL('../../cli/nepho.mjs', import.meta.url));
const DENO_ARGS = ['run', '-A', '--no-check', '--node-modules-dir=manual'];
const TIMEOUT_MS = 60_000;

/** @param options `env` is added to this process's, `input` is given on standard input */
export function nepho(
  args: readonly string[],
  options: { env?: Record<string, string>; input?: string | Uint8Array; cwd?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const runtime = 'Deno' in globalThis ? DENO_ARGS : [];
    const child = spawn(process.execPath, [...runtime, PROGRAM, ...args], {
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => stdout += text);
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr += text);
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}
