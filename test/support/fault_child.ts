import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FaultWorkerEvent, FaultWorkerPlan } from './fault_worker.ts';

/** A worker process of a fault test, see `fault_worker.ts`. */
export interface FaultChild {
  readonly events: readonly FaultWorkerEvent[];
  /** Resolves when `count` events of a kind were reported; rejects if the process ends before. */
  reported(event: FaultWorkerEvent['event'], count?: number): Promise<void>;
  /** The signal or status that it ended with. */
  readonly ended: Promise<string>;
  /** Wakes it up after it has stopped itself. */
  wakeUp(): void;
  kill(): Promise<void>;
  /** What it wrote to its standard error. */
  errors(): string;
}

const ENTRY = fileURLToPath(new URL('./fault_worker.ts', import.meta.url));
const LIMIT_MS = 90_000;

export function startFaultWorker(plan: FaultWorkerPlan): FaultChild {
  const runtime = 'Deno' in globalThis
    ? ['run', '-A', '--no-check', '--quiet', '--node-modules-dir=manual']
    : ['--import', 'tsx'];
  const child = spawn(process.execPath, [...runtime, ENTRY, JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A child that was killed breaks the pipe; that is no failure here.
  child.stdin.on('error', () => {});
  return new RunningChild(child);
}

class RunningChild implements FaultChild {
  readonly events: FaultWorkerEvent[] = [];
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #end: string | null = null;
  #errors = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    const killNow = () => child.kill('SIGKILL');
    process.once('exit', killNow);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-10_000);
    });
    if (child.stdout !== null) {
      createInterface(child.stdout).on('line', (line) => this.#read(line));
    }
    this.ended = new Promise((resolve) =>
      // `close`, not `exit`: what the process reported last is then read.
      child.once('close', (status, signal) => {
        process.off('exit', killNow);
        this.#end = signal ?? String(status);
        this.#wake();
        resolve(this.#end);
      })
    );
  }

  async reported(event: FaultWorkerEvent['event'], count = 1): Promise<void> {
    const deadline = Date.now() + LIMIT_MS;
    while (this.events.filter((one) => one.event === event).length < count) {
      if (this.#end !== null) throw this.#failure(`ended by ${this.#end}`, event);
      if (Date.now() > deadline) throw this.#failure(`said nothing for ${LIMIT_MS} ms`, event);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, 1_000);
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  wakeUp(): void {
    // Not `child.kill`: Deno takes a child for ended that was sent any signal.
    if (this.#child.pid !== undefined) process.kill(this.#child.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  errors(): string {
    return this.#errors;
  }

  #read(line: string): void {
    try {
      this.events.push(JSON.parse(line) as FaultWorkerEvent);
    } catch {
      this.#errors += `${line}\n`;
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #failure(how: string, event: string): Error {
    return new Error(
      `The worker ${how} before '${event}': ${
        JSON.stringify(this.events.slice(-5))
      }\n${this.#errors}`,
    );
  }
}
