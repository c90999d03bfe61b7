import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { type Announcement, startAnnounced } from './announced_child.ts';
import type { ChildSpec } from './guarded_child.ts';
import type { Supervisor } from './processes.ts';
import type { Tell } from './progress.ts';

export interface KeepOptions {
  say: Tell;
  /** Told when it ended more often than {@link MAX_RESTARTS} times, or does not start again. */
  onFailure: (error: NephoError) => void;
}

/** A part that ends more often than this is ill, and starting it again hides it. */
const MAX_RESTARTS = 5;
const RESTART_AFTER_MS = 1_000;

/**
 * Starts a part that holds no data, and starts it again when it ends by itself: what it was doing is in
 * the intake or in the database, and the next one goes on with it.
 *
 * @throws {NephoError} `process_failed` if it does not become ready the first time
 */
export async function keepRunning<T>(
  supervisor: Supervisor,
  spec: Omit<ChildSpec, 'onLine' | 'onFailure'>,
  announcement: Announcement<T>,
  options: KeepOptions,
): Promise<T> {
  let isReady = false;
  let restarts = 0;
  const start = (): Promise<T> =>
    startAnnounced(
      supervisor,
      { ...spec, onFailure: (error) => void startAgain(error) },
      announcement,
    );
  const startAgain = async (error: NephoError): Promise<void> => {
    // Before it was ready once its starter learns of the failure by itself.
    if (!isReady) return;
    if (restarts >= MAX_RESTARTS) return options.onFailure(error);
    restarts += 1;
    options.say(`${error.message}. Starting it again`);
    await delay(RESTART_AFTER_MS);
    if (supervisor.isStopping) return;
    try {
      await start();
    } catch (again) {
      if (supervisor.isStopping) return;
      options.onFailure(
        isNephoError(again) ? again : new NephoError('process_failed', errorMessage(again)),
      );
    }
  };
  const ready = await start();
  isReady = true;
  return ready;
}
