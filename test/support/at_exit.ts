import process from 'node:process';

const cleanups = new Set<() => void>();
let isListening = false;

/**
 * Has `cleanup` run, synchronously, when this process ends before its `after` hooks did: at an exit, and
 * at the signals by which runners and people end tests. @returns call it when there is nothing left to do
 */
export function atExit(cleanup: () => void): () => void {
  cleanups.add(cleanup);
  if (!isListening) {
    isListening = true;
    process.on('exit', () => {
      for (const one of cleanups) one();
    });
    for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]] as const) {
      process.on(signal, () => process.exit(128 + number));
    }
  }
  return () => cleanups.delete(cleanup);
}
