import { Buffer } from 'node:buffer';
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { NephoError } from '../../meters/errors.ts';

export interface CommandRequest {
  /** A name looked for in {@link SEARCH_PATH}, or an absolute path. */
  program: string;
  /** Never a secret: everybody on the host can read them. */
  args: readonly string[];
  /** Which package of Debian has the program, for the remedy. */
  debianPackage: string;
  /** Milliseconds from the start to the end of the output. */
  timeoutMs: number;
  /** Bytes of standard output. */
  maxBytes: number;
  signal: AbortSignal;
  /** Added to the reduced environment; each value is kept out of errors. */
  secrets?: Readonly<Record<string, string>>;
}

export interface CommandOutput {
  stdout: string;
  /** The end of it, at most {@link MAX_STDERR_LENGTH} characters. */
  stderr: string;
}

/** How a program ended that ended by itself. */
export interface CommandResult extends CommandOutput {
  /** Its status; null if a signal ended it. */
  status: number | null;
}

/** Where programs are looked for, whatever the environment of the worker says. */
export const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
export const MAX_STDERR_LENGTH = 4_096;
/** How much of what a program said stands in a message. */
const MAX_SAID_LENGTH = 300;

/**
 * Runs a program without a shell and hands back what it wrote, if it ended with status 0.
 *
 * It sees a reduced environment (its messages are in English, whatever the host's language), no
 * standard input, and leads a process group of its own, which is killed when the time is up, the
 * output too long or the signal aborted.
 *
 * @throws {NephoError} `command_failed` (not installed, not startable, another status, a signal),
 * `timeout` (also when aborted), `too_large`
 */
export async function runCommand(request: CommandRequest): Promise<CommandOutput> {
  const result = await runToEnd(request);
  if (result.status === 0) return result;
  throw commandFailed(request, result);
}

/** As {@link runCommand}, with the status left to the caller: some programs fail in ways that tell. */
export async function runToEnd(request: CommandRequest): Promise<CommandResult> {
  if (request.signal.aborted) throw cutOff(request);
  const program = findProgram(request);
  const options: SpawnOptions = {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { LC_ALL: 'C', LANG: 'C', PATH: SEARCH_PATH, ...request.secrets },
  };
  const child = spawn(program, [...request.args], options);
  return await new Watched(request, child).ended;
}

/** The error of a program that ended by itself with another status than 0, or by a signal. */
export function commandFailed(request: CommandRequest, result: CommandResult): NephoError {
  const said = lastWords(request, result.stderr);
  return new NephoError(
    'command_failed',
    `Cannot run '${nameOf(request)}': it ended ${
      result.status === null ? 'by a signal' : `with status ${result.status}`
    }${said === '' ? '' : ` and said: ${said}`}`,
    { retryable: true, context: { program: request.program, status: result.status } },
  );
}

/** The last line that a program wrote to standard error, without secrets and control characters. */
export function lastWords(request: CommandRequest, stderr: string): string {
  let text = stderr;
  for (const secret of Object.values(request.secrets ?? {})) {
    if (secret !== '') text = text.replaceAll(secret, '***');
  }
  const lines = text.split('\n').map((line) => line.replace(/[\0-\x1f\x7f]+/g, ' ').trim());
  return lines.findLast((line) => line !== '')?.slice(0, MAX_SAID_LENGTH) ?? '';
}

function nameOf(request: CommandRequest): string {
  return path.basename(request.program);
}

/** Looked for here: not every runtime says in the same way that a program is missing. */
function findProgram(request: CommandRequest): string {
  const { program } = request;
  const places = path.isAbsolute(program)
    ? [program]
    : SEARCH_PATH.split(':').map((directory) => path.join(directory, program));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) {
    throw new NephoError(
      'command_failed',
      `Cannot run '${program}': it is not installed: install the Debian package ${request.debianPackage}`,
      { retryable: true, context: { program, package: request.debianPackage } },
    );
  }
  try {
    accessSync(found, constants.X_OK);
  } catch (error) {
    throw notStarted(request, 'the worker may not execute it', error);
  }
  return found;
}

function notStarted(request: CommandRequest, why: string, cause?: unknown): NephoError {
  return new NephoError('command_failed', `Cannot start '${nameOf(request)}': ${why}`, {
    retryable: true,
    context: { program: request.program },
    cause,
  });
}

function cutOff(request: CommandRequest): NephoError {
  return new NephoError(
    'timeout',
    `Cannot wait for '${nameOf(request)}': the cycle has no time left`,
    { retryable: true, context: { program: request.program } },
  );
}

/** A program that runs, and the three ways in which it is ended from outside. */
class Watched {
  readonly ended: Promise<CommandResult>;
  readonly #request: CommandRequest;
  readonly #child: ChildProcess;
  readonly #stdout: Uint8Array[] = [];
  #bytes = 0;
  #stderr = '';
  #settle: { resolve: (result: CommandResult) => void; reject: (error: Error) => void };
  readonly #timer: NodeJS.Timeout;
  readonly #abort = (): void => this.#end(cutOff(this.#request));

  constructor(request: CommandRequest, child: ChildProcess) {
    this.#request = request;
    this.#child = child;
    this.#settle = { resolve: () => {}, reject: () => {} };
    this.ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timer = setTimeout(() => this.#end(this.#timedOut()), request.timeoutMs);
    request.signal.addEventListener('abort', this.#abort, { once: true });
    child.stdout?.on('data', (chunk: Uint8Array) => this.#take(chunk));
    child.stderr?.on('data', (chunk: Uint8Array) => {
      this.#stderr = (this.#stderr + new TextDecoder().decode(chunk)).slice(-MAX_STDERR_LENGTH);
    });
    child.once('error', (error) => {
      this.#end(notStarted(request, error.message.slice(0, MAX_SAID_LENGTH), error));
    });
    child.once('close', (status) => this.#close(status));
  }

  #take(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes <= this.#request.maxBytes) this.#stdout.push(chunk);
    else this.#end(this.#tooLarge());
  }

  #close(status: number | null): void {
    // Deno says that it ended before it says that it did not start.
    if (this.#child.pid === undefined) return;
    this.#stop();
    // What it started may still hold on to the group.
    this.#killGroup();
    const stdout = new TextDecoder().decode(Buffer.concat(this.#stdout));
    this.#settle.resolve({ stdout, stderr: this.#stderr, status });
  }

  /** Kills the group and does not wait for it: a process in the kernel's hands may not die now. */
  #end(error: NephoError): void {
    this.#stop();
    this.#killGroup();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.unref();
    this.#settle.reject(error);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#request.signal.removeEventListener('abort', this.#abort);
  }

  #killGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Nobody is left in it.
    }
  }

  #timedOut(): NephoError {
    const { program, timeoutMs } = this.#request;
    return new NephoError(
      'timeout',
      `Cannot wait for '${nameOf(this.#request)}': it did not end within ${timeoutMs} ms`,
      { retryable: true, context: { program, timeout_ms: timeoutMs } },
    );
  }

  #tooLarge(): NephoError {
    const { program, maxBytes } = this.#request;
    return new NephoError(
      'too_large',
      `Cannot read the output of '${nameOf(this.#request)}': it is longer than ${maxBytes} bytes`,
      { context: { program, max_bytes: maxBytes } },
    );
  }
}
