/**
 * A child process that cannot outlive us: it runs in a process group of its own under a small shell that
 * ends it when our end of a pipe closes, however we ended, even by kill -9.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { NephoError } from '../meters/errors.ts';
import { childEnvironment } from './env.ts';

/**
 * `$@` is the program. TERM to the shell is handed on to it; the end of standard input means that the
 * parent is gone. The status is the program's: a signal interrupts `wait`, so it is asked again until it
 * has nothing more to tell (127). The program has no standard input and no third file.
 */
const GUARD = `
exec 3<&0
child= ended=
trap 'ended=1; [ -n "$child" ] && kill -TERM $child 2>/dev/null' TERM INT HUP
"$@" </dev/null 3<&- &
child=$!
[ -n "$ended" ] && kill -TERM $child 2>/dev/null
( trap - TERM INT HUP
  while read -r line; do :; done
  kill -TERM $child 2>/dev/null; sleep 10; kill -KILL $child 2>/dev/null ) <&3 >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait $child; status=$?
while kill -0 $child 2>/dev/null; do wait $child; status=$?; done
wait $child 2>/dev/null; again=$?
[ $again -ne 127 ] && status=$again
kill -KILL $guard 2>/dev/null
wait $guard 2>/dev/null
exit $status
`;

const POLL_MS = 20;
/**
 * How long we watch a group go after kill -9. In a container whose first process reaps nobody, the dead
 * stay listed for ever, so waiting longer would tell nothing.
 */
const KILLED_MS = 500;
const LAST_WORDS = 400;

export interface ChildSpec {
  /** As sentences name it. */
  name: string;
  command: string;
  args: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Where its standard error, and its output unless `onLine` reads that, are appended. */
  logFile: string;
  /** Called with each line of its standard output. */
  onLine?: (line: string) => void;
  /** Milliseconds that it has to end after TERM when its supervisor stops. */
  graceMs?: number;
  /** Told by its supervisor when it ends that nobody stopped, instead of the supervisor's own. */
  onFailure?: (error: NephoError) => void;
}

export interface GuardedChild {
  readonly name: string;
  /** Of the guarding shell, which is also the number of the process group. */
  readonly pid: number;
  /** The exit status, or 128 + signal as a shell gives it. Never rejects. */
  readonly ended: Promise<number>;
  /** TERM, then after `graceMs` KILL. Resolves when the whole group is gone. Safe to call twice. */
  stop(graceMs: number): Promise<void>;
  /** KILL to the whole group, at once and without waiting: for the last moment of this process. */
  killNow(): void;
  /** The error for a child that failed: its state, its last words and where to read on. */
  failure(state: string): NephoError;
  /**
   * Waits for `ready`, whose signal tells it to give up.
   *
   * @throws {NephoError} `process_failed` if the process ends first or `timeoutMs` passes
   */
  until<T>(ready: (signal: AbortSignal) => Promise<T>, timeoutMs: number): Promise<T>;
}

/** @throws {NephoError} `process_failed` if the shell cannot be started */
export async function startGuarded(spec: ChildSpec): Promise<GuardedChild> {
  const log = openSync(spec.logFile, 'a', 0o600);
  const child = spawn('/bin/sh', ['-c', GUARD, spec.name, spec.command, ...spec.args], {
    env: childEnvironment(spec.environment ?? {}),
    stdio: ['pipe', spec.onLine === undefined ? log : 'pipe', log],
    detached: true,
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      reject(
        new NephoError('process_failed', `Cannot start ${spec.name}: /bin/sh does not run`, {
          cause,
        }),
      );
    });
  });
  // The pipe says that we live, by being open; its closing at the other end is no news.
  child.stdin?.on('error', () => {});
  if (child.stdout !== null && spec.onLine !== undefined) {
    createInterface(child.stdout).on('line', spec.onLine);
  }
  return guardedChild(child, spec);
}

function guardedChild(child: ChildProcess, spec: ChildSpec): GuardedChild {
  const pid = child.pid ?? 0;
  let hasEnded = false;
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code) => {
      hasEnded = true;
      resolve(code ?? 137);
    });
  });
  let stopping: Promise<void> | undefined;
  const stop = async (graceMs: number): Promise<void> => {
    if (!hasEnded) send(pid, 'SIGTERM');
    if (await isGone(pid, graceMs)) return;
    send(-pid, 'SIGKILL');
    await isGone(pid, KILLED_MS);
  };
  return {
    name: spec.name,
    pid,
    ended,
    stop: (graceMs) => stopping ??= stop(graceMs),
    killNow: () => void send(-pid, 'SIGKILL'),
    failure: (state) => failure(spec, state),
    until: async (ready, timeoutMs) => {
      const failed = ended.then((status) => {
        throw failure(spec, `it ended with status ${status}`, true);
      });
      const decided = new AbortController();
      const { signal } = decided;
      const late = delay(timeoutMs, undefined, { signal }).then(() => {
        throw failure(spec, `it is not ready after ${timeoutMs / 1_000} s`);
      });
      const outcomes = [ready(signal), failed, late] as const;
      try {
        return await Promise.race(outcomes);
      } finally {
        decided.abort();
        // Whichever came too late has nobody to catch it.
        for (const promise of outcomes) promise.catch(() => {});
      }
    },
  };
}

function failure(spec: ChildSpec, state: string, retryable = false): NephoError {
  const words = lastWords(spec.logFile);
  return new NephoError(
    'process_failed',
    `Cannot run ${spec.name}: ${state}${
      words === '' ? '' : `, saying '${words}'`
    }; see ${spec.logFile}`,
    { retryable },
  );
}

function lastWords(logFile: string): string {
  try {
    const lines = readFileSync(logFile, 'utf8').trim().split('\n');
    // What a part says as it fails is a sentence; its log lines are JSON, and rather its routine.
    return lines.findLast((line) => !line.startsWith('{'))?.slice(0, LAST_WORDS) ?? '';
  } catch {
    return '';
  }
}

async function isGone(group: number, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (send(-group, 0)) {
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** @param target a process, or a group as its negative number. @returns false if there is none */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch {
    return false;
  }
}
