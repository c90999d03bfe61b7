import { NephoError } from '../../meters/errors.ts';
import type { AbortWatch } from './abort_watch.ts';

export interface GateLimits {
  concurrency: number;
  requestsPerSecond: number | null;
}

export interface GateOptions {
  watch: AbortWatch;
  /** Milliseconds that never go back. */
  clockMs: () => number;
}

interface Waiter {
  enter: () => void;
  leave: () => void;
}

/**
 * Lets requests through to one endpoint: no more than `concurrency` at a time and
 * `requestsPerSecond` begun in a second (a twentieth of a second's worth may start at once, since
 * timers are no finer than that). First come, first served.
 */
export class EndpointGate {
  readonly #limits: GateLimits;
  readonly #watch: AbortWatch;
  readonly #clockMs: () => number;
  readonly #waiting: Waiter[] = [];
  readonly #burst: number;
  #active = 0;
  #tokens: number;
  #filledMs: number;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(limits: GateLimits, { watch, clockMs }: GateOptions) {
    this.#limits = limits;
    this.#watch = watch;
    this.#clockMs = clockMs;
    this.#burst = Math.max(1, Math.floor((limits.requestsPerSecond ?? 0) / 20));
    this.#tokens = this.#burst;
    this.#filledMs = clockMs();
  }

  /**
   * Waits for a place. What it resolves to gives the place back, and must be called once.
   *
   * @throws {NephoError} `timeout` if the signal is aborted first
   */
  enter(signal: AbortSignal): Promise<() => void> | (() => void) {
    if (signal.aborted) throw aborted();
    if (this.#waiting.length === 0 && this.#take()) return this.#release;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const place = this.#waiting.indexOf(waiter);
        if (place !== -1) this.#waiting.splice(place, 1);
        reject(aborted());
      };
      const waiter: Waiter = {
        enter: () => resolve(this.#release),
        leave: () => this.#watch.remove(signal, onAbort),
      };
      this.#watch.add(signal, onAbort);
      this.#waiting.push(waiter);
      this.#wake();
    });
  }

  readonly #release = (): void => {
    this.#active -= 1;
    this.#wake();
  };

  #take(): boolean {
    if (this.#active >= this.#limits.concurrency) return false;
    const rate = this.#limits.requestsPerSecond;
    if (rate !== null) {
      const nowMs = this.#clockMs();
      this.#tokens = Math.min(
        this.#burst,
        this.#tokens + (nowMs - this.#filledMs) * rate / 1_000,
      );
      this.#filledMs = nowMs;
      if (this.#tokens < 1) return false;
      this.#tokens -= 1;
    }
    this.#active += 1;
    return true;
  }

  #wake(): void {
    while (this.#waiting.length > 0 && this.#take()) {
      const waiter = this.#waiting.shift();
      waiter?.leave();
      waiter?.enter();
    }
    const rate = this.#limits.requestsPerSecond;
    if (this.#waiting.length === 0 || rate === null || this.#timer !== null) return;
    if (this.#active >= this.#limits.concurrency) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#wake();
    }, Math.max(1, Math.ceil((1 - this.#tokens) * 1_000 / rate)));
  }
}

function aborted(): NephoError {
  return new NephoError('timeout', 'Cannot begin a request: the time of the cycle is used up', {
    retryable: true,
  });
}
