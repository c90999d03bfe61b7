import type { PublishOutcome } from '../../bus/publisher.ts';
import type { NephoError } from '../../meters/errors.ts';

/** Something received that is to be passed on and then settled at its source. */
export interface PumpOptions<T> {
  /** Passes a batch on and answers for each, in their order. */
  publish: (batch: readonly T[]) => Promise<PublishOutcome[]>;
  /** Settles one at its source, and with `allUpTo` every earlier one. */
  acknowledge: (item: T, allUpTo: boolean) => void;
  /** Told of what was settled. */
  onSettled: (outcome: Exclude<PublishOutcome, { status: 'refused' }>) => void;
  /** Told when something was refused: how long to wait before it is offered again, in milliseconds. */
  onRefused: (error: NephoError, consecutive: number) => number;
  maxBatch: number;
}

/** How long a first item waits for company. */
const LINGER_MS = 5;

/**
 * Passes on what comes, in batches, one after the other, and settles each item at its source when it is
 * stored: the oldest together, those behind a refused one singly. What was refused is offered again,
 * before what came later; it is never handed back, which would put the broker to work for nothing.
 */
export class DeliveryPump<T> {
  readonly #options: PumpOptions<T>;
  readonly #waiting: T[] = [];
  #running: Promise<void> | null = null;
  #refusals = 0;
  #stopped = false;
  #wake: () => void = () => {};

  constructor(options: PumpOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(item: T): void {
    this.#waiting.push(item);
    this.#running ??= this.#run();
  }

  /** Waits until everything is settled, at most `limitMs`. @returns whether it is */
  async drain(limitMs: number): Promise<boolean> {
    const limit = this.#sleep(limitMs);
    await Promise.race([this.#running, limit.over]);
    limit.cancel();
    return this.#waiting.length === 0;
  }

  /** Forgets what is not settled: the source is gone, and will deliver it again. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    await this.#pause(LINGER_MS);
    while (this.#waiting.length > 0 && !this.#stopped) {
      const batch = this.#waiting.slice(0, this.#options.maxBatch);
      const outcomes = await this.#options.publish(batch);
      if (this.#stopped) break;
      const refusal = this.#settle(batch, outcomes);
      this.#refusals = refusal === null ? 0 : this.#refusals + 1;
      if (refusal !== null) {
        await this.#pause(this.#options.onRefused(refusal, this.#refusals));
      }
    }
    this.#running = null;
  }

  #settle(batch: readonly T[], outcomes: readonly PublishOutcome[]): NephoError | null {
    const refused: T[] = [];
    let refusal: NephoError | null = null;
    let together: T | null = null;
    batch.forEach((item, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined || outcome.status === 'refused') {
        refused.push(item);
        refusal = outcome?.error ?? refusal;
        return;
      }
      if (refused.length === 0) together = item;
      else this.#options.acknowledge(item, false);
      this.#options.onSettled(outcome);
    });
    if (together !== null) this.#options.acknowledge(together, true);
    this.#waiting.splice(0, batch.length, ...refused);
    return refusal;
  }

  /** Sleeps, unless stopped. */
  async #pause(milliseconds: number): Promise<void> {
    const sleep = this.#sleep(milliseconds);
    this.#wake = sleep.cancel;
    await sleep.over;
  }

  #sleep(milliseconds: number): { over: Promise<void>; cancel: () => void } {
    let cancel = (): void => {};
    const over = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      cancel = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return { over, cancel };
  }
}
