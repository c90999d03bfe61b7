/** How a process that serves learns that it is to end. */
import process from 'node:process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Exit status of a process that was told twice: 128 + SIGINT, as a shell says it. */
const TOLD_TWICE = 130;

export interface EndOfService {
  /** Resolves with the signal that asks for an orderly end. */
  readonly asked: Promise<string>;
  /** As `asked`, for what takes an AbortSignal. */
  readonly signal: AbortSignal;
  /** Gives the signals back to their defaults. */
  dispose(): void;
}

/** From now on the first signal asks for an orderly end, and a second one ends the process at once. */
export function endOfService(): EndOfService {
  const controller = new AbortController();
  let resolve: (signal: string) => void = () => {};
  const asked = new Promise<string>((settle) => resolve = settle);
  const handlers = SIGNALS.map((name) => {
    const handler = (): void => {
      if (controller.signal.aborted) process.exit(TOLD_TWICE);
      controller.abort();
      resolve(name);
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  return {
    asked,
    signal: controller.signal,
    dispose: () => {
      for (const dispose of handlers) dispose();
    },
  };
}

/** Tells whoever started this process that it serves now: one line of JSON on standard output. */
export function announceReady(what: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...what })}\n`);
}
