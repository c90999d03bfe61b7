import { isNephoError } from '../meters/errors.ts';

/** What is told of a subscription, in the callbacks of tRPC's client. */
export interface FollowObserver<Event> {
  /** `id` is the cursor behind the event: with it one goes on after it. */
  onData(tracked: { id: string; data: Event }): void;
  onError(error: unknown): void;
  onComplete(): void;
}

/** Begins a subscription behind a cursor; null takes the beginning. */
export type Subscribe<Event> = (
  cursor: string | null,
  observer: FollowObserver<Event>,
) => { unsubscribe(): void };

export interface FollowOptions {
  /** Where a former loop ended: the `cursor` of the last event that was dealt with. All, unless given. */
  cursor?: string | null;
  /** Ends the loop. */
  signal?: AbortSignal;
}

/** An event with the cursor behind it: keep it once the event is dealt with. */
export type Followed<Event> = Event & { cursor: string };

export interface FollowDeps {
  /** The error that a caller gets for one of the subscription. */
  explain: (error: unknown) => unknown;
  /** @default {setTimeout} */
  wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** Events that wait for a slow reader. Beyond them the subscription ends, and begins again behind them. */
const MAX_WAITING = 1_000;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;

/**
 * The events of a subscription, one by one, without end: over lost connections and restarts of the server
 * it goes on behind the last event, so that none is missing and none comes twice. The reader sets the
 * pace.
 *
 * @throws what `explain` makes of an error that will not pass by itself: a wrong key, a wrong cursor
 */
export async function* follow<Event extends object>(
  subscribe: Subscribe<Event>,
  options: FollowOptions,
  { explain, wait = waitMs }: FollowDeps,
): AsyncGenerator<Followed<Event>, void, undefined> {
  const { signal } = options;
  let cursor = options.cursor ?? null;
  for (let pauseMs = FIRST_WAIT_MS; signal?.aborted !== true;) {
    const inbox = new Inbox<Event>();
    const subscription = subscribe(cursor, inbox);
    const abort = (): void => inbox.onComplete();
    signal?.addEventListener('abort', abort);
    try {
      for (let next = await inbox.next(); next !== null; next = await inbox.next()) {
        cursor = next.id;
        pauseMs = FIRST_WAIT_MS;
        yield { ...next.data, cursor };
      }
    } catch (error) {
      const explained = explain(error);
      if (!isNephoError(explained) || !explained.retryable) throw explained;
    } finally {
      signal?.removeEventListener('abort', abort);
      subscription.unsubscribe();
    }
    if (inbox.isFull) continue;
    await wait(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, MAX_WAIT_MS);
  }
}

/** Keeps the order between what comes and who reads. */
class Inbox<Event> implements FollowObserver<Event> {
  readonly #waiting: { id: string; data: Event }[] = [];
  #ended: { error: unknown } | null = null;
  #isFull = false;
  #wake: () => void = () => {};

  /** It ended because the reader was too slow. */
  get isFull(): boolean {
    return this.#isFull;
  }

  // Properties, since tRPC calls them apart from the object.
  readonly onData = (tracked: { id: string; data: Event }): void => {
    if (this.#ended !== null) return;
    this.#waiting.push(tracked);
    if (this.#waiting.length >= MAX_WAITING) {
      this.#isFull = true;
      this.#end(null);
    }
    this.#wake();
  };
  readonly onError = (error: unknown): void => this.#end(error);
  readonly onComplete = (): void => this.#end(null);

  /** Null at the end. @throws what ended it */
  async next(): Promise<{ id: string; data: Event } | null> {
    for (;;) {
      const first = this.#waiting.shift();
      if (first !== undefined) return first;
      if (this.#ended !== null) {
        if (this.#ended.error !== null) throw this.#ended.error;
        return null;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #end(error: unknown): void {
    this.#ended ??= { error };
    this.#wake();
  }
}

async function waitMs(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
