import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WindowFaultEvent, WindowFaultWorkerPlan } from './window_fault_worker.ts';

const ENTRY = fileURLToPath(new URL('./window_fault_worker.ts', import.meta.url));

/** A worker process that revises and seals, see `window_fault_worker.ts`. */
export class WindowFaultChild {
  /** The signal or status that it ended with. */
  readonly ended: Promise<string>;
  readonly events: WindowFaultEvent[] = [];
  readonly #child: ChildProcess;
  readonly #struck: Promise<void>;
  #errors = '';

  constructor(plan: WindowFaultWorkerPlan) {
    const runtime = 'Deno' in globalThis
      ? ['run', '-A', '--no-check', '--quiet', '--node-modules-dir=manual']
      : ['--import', 'tsx'];
    const child = spawn(process.execPath, [...runtime, ENTRY, JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    const killNow = () => child.kill('SIGKILL');
    process.once('exit', killNow);
    // A child that was killed breaks the pipe; that is no failure here.
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-10_000);
    });
    let strike = (): void => {};
    this.#struck = new Promise((resolve) => {
      strike = resolve;
    });
    createInterface(child.stdout).on('line', (line) => {
      const event = JSON.parse(line) as WindowFaultEvent;
      this.events.push(event);
      if (event.event === 'struck') strike();
    });
    this.ended = new Promise((resolve) =>
      // `close`, not `exit`: what the process reported last is then read.
      child.once('close', (status, signal) => {
        process.off('exit', killNow);
        resolve(signal ?? String(status));
      })
    );
  }

  /** Returns when it was struck, or has ended without. */
  async struck(): Promise<void> {
    await Promise.race([this.#struck, this.ended]);
  }

  /** Wakes it up after it has stopped itself. */
  wakeUp(): void {
    // Not `child.kill`: Deno takes a child for ended that was sent any signal.
    if (this.#child.pid !== undefined) process.kill(this.#child.pid, 'SIGCONT');
  }

  errors(): string {
    return this.#errors;
  }
}
