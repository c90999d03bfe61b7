import { setMaxListeners } from 'node:events';
import { NephoError } from '../../meters/errors.ts';

/**
 * The end of a cycle's time, for work that may not look at the signal itself. Not a promise to race with:
 * it would hold on to everything that ever raced with it until the cycle ends.
 */
export class CycleDeadline {
  readonly #signal: AbortSignal;
  readonly #waiting = new Set<(error: NephoError) => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    // Every request of the cycle listens to it.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', () => {
      for (const giveUp of this.#waiting) giveUp(timeIsUp());
    }, { once: true });
  }

  /** What the work comes to. @throws {NephoError} `timeout` when the time is up before it is done */
  inTime<Result>(work: Promise<Result>): Promise<Result> {
    if (this.#signal.aborted) {
      // What is done already counts, as the end of a listing that has nothing more to wait for.
      return new Promise((resolve, reject) => {
        work.then(resolve, reject);
        setImmediate(() => reject(timeIsUp()));
      });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      work.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }
}

/** Why whatever is asked behind the end of the cycle's time fails. */
export function timeIsUp(): NephoError {
  return new NephoError('timeout', 'The time of the cycle was up');
}
