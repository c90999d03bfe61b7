import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { CommandLine } from '../cli/own_program.ts';

/** Linux counts the time of processes in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** A child process whose memory and time are read from outside. */
export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor({ command, args }: CommandLine, environment: NodeJS.ProcessEnv) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the child has no output');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    this.#ended = once(this.#child, 'exit');
    process.once('exit', () => this.#child.kill('SIGKILL'));
  }

  /** The next line of its output. @throws {Error} if it has ended instead */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the child ended before it said anything');
    return value;
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resident memory now, MB. */
  rssMb(): number {
    return this.#status('VmRSS');
  }

  /** The highest so far, MB. */
  peakRssMb(): number {
    return this.#status('VmHWM');
  }

  /** Seconds of all its threads on a core so far. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    // Behind the name, which may hold spaces: utime and stime are the 14th and 15th of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Ends its input, and with `signal` itself; waits until it is gone. */
  async stop(signal?: NodeJS.Signals): Promise<void> {
    this.#child.stdin?.end();
    if (signal !== undefined) this.#child.kill(signal);
    await this.#ended;
  }

  #status(field: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1_000;
  }
}
