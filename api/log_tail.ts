import type { LogVector } from '../db/log_events.ts';

/** Milliseconds between two looks at the sizes of the logs, as long as anybody waits. */
const LOOK_EVERY_MS = 1_000;

interface Waiter {
  /** The sizes that it knows. */
  known: string;
  grown(sizes: LogVector): void;
  failed(error: Error): void;
}

/**
 * Tells those who wait that a log grew. However many wait, the database is asked once a second; nobody
 * waiting, it is not asked at all. No LISTEN: it would hold a connection, and PGlite has only one.
 */
export class LogTail {
  readonly #read: () => Promise<LogVector>;
  readonly #everyMs: number;
  readonly #waiters = new Set<Waiter>();
  #looking = false;

  constructor(read: () => Promise<LogVector>, { everyMs = LOOK_EVERY_MS } = {}) {
    this.#read = read;
    this.#everyMs = everyMs;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * The sizes as soon as they are others than the known ones; null asks for those of now.
   *
   * @throws the failure of a look, or the signal's reason
   */
  async next(known: LogVector | null, signal: AbortSignal): Promise<LogVector> {
    signal.throwIfAborted();
    if (known === null) return await this.#read();
    return await new Promise<LogVector>((resolve, reject) => {
      const end = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        known: keyOf(known),
        grown: (sizes) => {
          end();
          resolve(sizes);
        },
        failed: (error) => {
          end();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', abort);
      if (!this.#looking) void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#waiters.size > 0) {
      await this.#pause();
      if (this.#waiters.size === 0) break;
      try {
        const sizes = await this.#read();
        const key = keyOf(sizes);
        for (const waiter of this.#waiters) if (waiter.known !== key) waiter.grown(sizes);
      } catch (error) {
        for (const waiter of this.#waiters) waiter.failed(error as Error);
      }
    }
    this.#looking = false;
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#everyMs);
      // It does not keep a process from ending: those who wait hold it open by their connections.
      timer.unref();
    });
  }
}

function keyOf(sizes: LogVector): string {
  return JSON.stringify([...sizes].sort(([a], [b]) => a - b));
}
