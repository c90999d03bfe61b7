import { setTimeout as delay } from 'node:timers/promises';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { runLeg } from '../../activities/ingest_leg.ts';
import type { IntakeMessage, IntakePuller } from '../../bus/puller.ts';

const LIMIT_MS = 60_000;

/** A leg of ingest that takes messages in only while somebody waits for them to be in the log. */
export class SteppedIngest {
  readonly #batchSize: () => number;
  readonly #leg: Promise<unknown>;
  readonly #failed: Promise<never>;
  /** Last sequences of the batches that were pulled and are not stored. */
  readonly #pulled: number[] = [];
  readonly #wakers = new Set<() => void>();
  #stored = 0;
  #wanted = 0;
  #ended = false;

  /** @param batchSize messages at most, asked for each batch */
  constructor(deps: IngestDeps, batchSize: () => number) {
    this.#batchSize = batchSize;
    this.#leg = runLeg(
      {
        ...deps,
        openPuller: async (shard) => this.#step(await deps.openPuller(shard)),
        metrics: {
          ...deps.metrics,
          batchStored: () => {
            this.#stored = this.#pulled.shift() ?? this.#stored;
            this.#wake();
          },
        },
      },
      { shard: 0, seconds: 600, drain: false },
      {
        stopped: () => this.#ended,
        heartbeat: () => {},
      },
    );
    this.#failed = this.#leg.then(() => Promise.reject(new Error('the leg has ended')));
    // Met by whoever waits.
    this.#failed.catch(() => {});
  }

  /** Returns when this message of the intake, and all before it, are in the log. */
  async upTo(sequence: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, sequence);
    this.#wake();
    const deadline = Date.now() + LIMIT_MS;
    while (this.#stored < sequence) {
      if (Date.now() > deadline) throw new Error(`message ${sequence} is not stored`);
      await Promise.race([this.#woken(1_000), this.#failed]);
    }
  }

  async stop(): Promise<void> {
    this.#ended = true;
    this.#wake();
    await this.#leg;
  }

  #step(puller: IntakePuller): IntakePuller {
    return {
      pending: () => puller.pending(),
      flush: () => puller.flush(),
      close: () => puller.close(),
      pull: async ({ maxWaitMs }) => {
        const pulled = this.#pulled.at(-1) ?? this.#stored;
        if (pulled >= this.#wanted) {
          await this.#woken(maxWaitMs);
          return [];
        }
        // No more than there are, or it would wait for others.
        const maxMessages = Math.min(this.#batchSize(), this.#wanted - pulled);
        const messages = await puller.pull({ maxMessages, maxWaitMs });
        this.#note(messages);
        return messages;
      },
    };
  }

  #note(messages: readonly IntakeMessage[]): void {
    const last = messages.at(-1);
    if (last !== undefined) this.#pulled.push(last.sequence);
  }

  async #woken(ms: number): Promise<void> {
    const stop = new AbortController();
    let wake = (): void => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#wakers.add(wake);
    const late = delay(ms, undefined, { signal: stop.signal }).catch(() => {});
    await Promise.race([woken, late]);
    stop.abort();
    this.#wakers.delete(wake);
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }
}
