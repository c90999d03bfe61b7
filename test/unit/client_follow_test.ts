import assert from 'node:assert/strict';
import test from 'node:test';
import { follow, type Followed, type FollowObserver } from '../../client/follow.ts';
import { NephoError } from '../../meters/errors.ts';

interface Numbered {
  number: number;
}

/** A server with numbered events, which may break off and of which every subscription is known. */
class Server {
  readonly begun: (string | null)[] = [];
  readonly waits: number[] = [];
  open = 0;
  /** Of each subscription in turn: how many events it sends, and how it ends; the last goes for all others. */
  readonly #plans: { events: number; end: 'complete' | 'stay' | Error }[];

  constructor(...plans: { events: number; end: 'complete' | 'stay' | Error }[]) {
    this.#plans = plans;
  }

  readonly subscribe = (cursor: string | null, observer: FollowObserver<Numbered>) => {
    const plan = this.#plans[Math.min(this.begun.length, this.#plans.length - 1)];
    assert.ok(plan !== undefined);
    this.begun.push(cursor);
    this.open += 1;
    const first = cursor === null ? 0 : Number(cursor.slice(1)) + 1;
    queueMicrotask(() => {
      for (let number = first; number < first + plan.events; number += 1) {
        observer.onData({ id: `c${number}`, data: { number } });
      }
      if (plan.end === 'complete') observer.onComplete();
      else if (plan.end !== 'stay') observer.onError(plan.end);
    });
    return {
      unsubscribe: () => {
        this.open -= 1;
      },
    };
  };

  follow(options: { cursor?: string; signal?: AbortSignal } = {}) {
    return follow<Numbered>(this.subscribe, options, {
      explain: (error) => error,
      wait: async (ms) => void this.waits.push(ms),
    });
  }
}

async function take(
  events: AsyncIterable<Followed<Numbered>>,
  count: number,
): Promise<Followed<Numbered>[]> {
  const taken: Followed<Numbered>[] = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

const away = new NephoError('api_unreachable', 'away', { retryable: true });

test('follow goes on behind the last event over ends and errors: none is missing, none comes twice', async () => {
  const server = new Server(
    { events: 3, end: 'complete' },
    { events: 0, end: away },
    { events: 0, end: away },
    { events: 2, end: away },
    { events: 9, end: 'stay' },
  );
  const taken = await take(server.follow(), 8);
  assert.deepEqual(taken.map(({ number }) => number), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(taken[7]?.cursor, 'c7');
  assert.deepEqual(server.begun, [null, 'c2', 'c2', 'c2', 'c4']);
  assert.deepEqual(server.waits, [500, 1_000, 2_000, 500]);
  assert.equal(server.open, 0);
});

test('follow begins behind the cursor that is given', async () => {
  const server = new Server({ events: 2, end: 'stay' });
  const taken = await take(server.follow({ cursor: 'c41' }), 2);
  assert.deepEqual(taken, [{ number: 42, cursor: 'c42' }, { number: 43, cursor: 'c43' }]);
});

test('follow throws what will not pass by itself, after the events before it', async () => {
  const refused = new NephoError('unauthenticated', 'no');
  const server = new Server({ events: 2, end: refused });
  const taken: number[] = [];
  await assert.rejects(async () => {
    for await (const { number } of server.follow()) taken.push(number);
  }, refused);
  assert.deepEqual(taken, [0, 1]);
  assert.equal(server.open, 0);
});

test('follow holds no more than a thousand events for a slow reader, and loses none', async () => {
  const server = new Server({ events: 2_500, end: 'stay' });
  const taken = await take(server.follow(), 2_200);
  assert.deepEqual(taken.map(({ number }) => number), Array.from({ length: 2_200 }, (_, i) => i));
  assert.deepEqual(server.begun, [null, 'c999', 'c1999']);
  assert.deepEqual(server.waits, []);
});

test('follow ends by its signal while nothing comes', async () => {
  const server = new Server({ events: 1, end: 'stay' });
  const end = new AbortController();
  const taken: number[] = [];
  for await (const { number } of server.follow({ signal: end.signal })) {
    taken.push(number);
    queueMicrotask(() => end.abort());
  }
  assert.deepEqual(taken, [0]);
  assert.equal(server.open, 0);
  assert.deepEqual(await take(server.follow({ signal: end.signal }), 1), []);
});
