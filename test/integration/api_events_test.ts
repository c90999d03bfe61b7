import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Registry } from 'prom-client';
import { createApi } from '../../api/handler.ts';
import { MAX_SUBSCRIPTIONS_OF_KEY } from '../../api/event_stream.ts';
import { serveApi } from '../../api/serve.ts';
import type { RevisedUsage, SealedHour } from '../../api/event_schema.ts';
import { createClient, type NephoClient } from '../../client/client.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { sealLogs } from '../support/seal_logs.ts';
import { testKeyPem } from '../support/test_signer.ts';

const HOUR_MS = 3_600_000;
const THIS_HOUR = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
const FIRST = THIS_HOUR - 10 * HOUR_MS;
const KEY = testKeyPem(7);

interface Heard {
  id: string;
  data: SealedHour;
}

/** A subscription whose events can be waited for. */
class Listener {
  readonly heard: Heard[] = [];
  error: unknown = null;
  #wake: () => void = () => {};
  readonly #subscription: { unsubscribe(): void };

  constructor(client: NephoClient, input: { cursor?: string; start?: 'newest' } = {}) {
    this.#subscription = client.windows.onSealed.subscribe(input, {
      onData: (event) => {
        this.heard.push(event);
        this.#wake();
      },
      onError: (error) => {
        this.error = error;
        this.#wake();
      },
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.error !== null) throw this.error as Error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async count(count: number): Promise<Heard[]> {
    await this.until(() => this.heard.length >= count);
    return this.heard;
  }

  async failure(): Promise<unknown> {
    while (this.error === null) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.error;
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }
}

describe('subscriptions', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: ApiSystem;
  /** Hours from the first on that are sealed in each log. */
  let sealed = 0;

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url, shards: 2 });
    await system.send(Array.from({ length: 30 }, (_, n) =>
      imageUpload({
        messageId: `message-${n}`,
        imageId: `image-${n}`,
        projectId: n % 3 === 0 ? 'alpha' : 'gamma',
        size: n,
        atMs: FIRST + (n % 5) * HOUR_MS,
      })));
    await system.ingest();
    await seal(2);
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
  });

  async function seal(hours: number): Promise<void> {
    sealed += hours;
    const logs = await sealLogs(system.db.pool, {
      shards: 2,
      signingKey: KEY,
      rules: await loadUsageRules(),
      until: formatMillis(FIRST + sealed * HOUR_MS),
    });
    assert.deepEqual(logs, [0, 1]);
  }

  const named = (heard: readonly Heard[]) =>
    heard.map(({ data }) => `${data.log_id} ${data.start}`).sort();
  const hours = (from: number, to: number) =>
    [0, 1].flatMap((log) =>
      Array.from(
        { length: to - from },
        (_, n) => `${log} ${formatMillis(FIRST + (from + n) * HOUR_MS)}`,
      )
    ).sort();

  test('windows.onSealed tells of all that was sealed and of what is sealed then, by log in order', async () => {
    const listener = new Listener(system.operator);
    await listener.count(4);
    await seal(1);
    const heard = await listener.count(6);
    listener.stop();
    assert.deepEqual(named(heard), hours(0, 3));
    for (const log of [0, 1]) {
      const starts = heard.filter(({ data }) => data.log_id === log).map(({ data }) => data.start);
      assert.deepEqual(starts, starts.toSorted());
    }
    // With newest, nothing of the past.
    const later = new Listener(system.operator, { start: 'newest' });
    const first = new Listener(system.operator);
    await first.count(6);
    await seal(1);
    await later.count(2);
    await first.count(8);
    assert.deepEqual(named(later.heard), hours(3, 4));
    later.stop();
    first.stop();
  });

  test('from any cursor on, nothing is missing and nothing comes twice', async () => {
    const whole = new Listener(system.operator);
    const heard = [...await whole.count(8)];
    whole.stop();
    for (const [index, { id }] of heard.slice(0, -1).entries()) {
      const rest = new Listener(system.operator, { cursor: id });
      await rest.count(heard.length - index - 1);
      rest.stop();
      assert.deepEqual(rest.heard, heard.slice(index + 1));
    }
  });

  test('over a stop and a start of the server the same subscription goes on', async () => {
    const api = () => createApi({ ...system.deps, registry: new Registry() });
    let running = await serveApi(api(), { port: 0 });
    const { port } = running;
    const client = createClient({ url: running.url, token: system.operatorToken });
    const listener = new Listener(client);
    await listener.count(8);
    const started = performance.now();
    await running.close();
    assert.ok(performance.now() - started < 2_000, 'open subscriptions do not hold the server up');
    await seal(1);
    running = await serveApi(api(), { port });
    await listener.count(10);
    listener.stop();
    assert.deepEqual(named(listener.heard), hours(0, 5));
    await running.close();
  });

  test("a project is told of each hour and of its own windows' number", async () => {
    const own = async (project: string) => {
      const listener = new Listener(system.client(await system.projectToken(project)));
      const heard = await listener.count(10);
      listener.stop();
      return heard.map(({ data }) => data);
    };
    const all = new Listener(system.operator);
    const whole = (await all.count(10)).map(({ data }) => data);
    all.stop();
    const [alpha, gamma, nobody] = [await own('alpha'), await own('gamma'), await own('nobody')];
    assert.ok(nobody.every(({ windows }) => windows === 0));
    assert.ok(alpha.some(({ windows }) => windows > 0));
    whole.forEach((hour, index) => {
      assert.equal((alpha[index]?.windows ?? 0) + (gamma[index]?.windows ?? 0), hour.windows);
    });
  });

  test('what cannot be followed ends with its code and does not try again', async () => {
    const first = new Listener(system.operator);
    const [event] = await first.count(1);
    first.stop();
    const alpha = system.client(await system.projectToken('alpha'));
    const refused: [string, NephoClient, string | undefined][] = [
      ['cursor_invalid', system.operator, 'AAAA'],
      ['cursor_of_another_query', alpha, event?.id],
      ['unauthenticated', system.client(null), undefined],
    ];
    for (const [code, client, cursor] of refused) {
      const listener = new Listener(client, cursor === undefined ? {} : { cursor });
      const error = await listener.failure() as { data?: { error_code?: string } };
      assert.equal(error.data?.error_code, code);
    }
  });

  test('usage.onRevised tells a project of its own windows that late data changed', async () => {
    const heard = {
      alpha: [] as RevisedUsage[],
      gamma: [] as RevisedUsage[],
      all: [] as RevisedUsage[],
    };
    let wake: () => void = () => {};
    const follow = (client: NephoClient, into: RevisedUsage[]) =>
      client.usage.onRevised.subscribe({}, {
        onData: ({ data }) => {
          into.push(data);
          wake();
        },
      });
    const subscriptions = [
      follow(system.client(await system.projectToken('alpha')), heard.alpha),
      follow(system.client(await system.projectToken('gamma')), heard.gamma),
      follow(system.operator, heard.all),
    ];
    const late = (imageId: string, projectId: string) =>
      imageUpload({ imageId, projectId, size: 7, atMs: FIRST + 60_000 });
    await system.send([late('image-0', 'alpha'), late('new-image', 'gamma')]);
    await system.ingest();
    await seal(1);
    const uploads = (events: RevisedUsage[]) =>
      events.flatMap(({ project_id, changes }) =>
        changes.filter(({ meter }) => meter === 'image.upload').map((change) => [
          project_id,
          change.resource_id,
          change.revision,
          change.quantity_before,
          change.quantity_after,
        ])
      ).sort(([a], [b]) => String(a) < String(b) ? -1 : 1);
    while (
      uploads(heard.all).length + uploads(heard.alpha).length + uploads(heard.gamma).length < 4
    ) {
      await new Promise<void>((resolve) => wake = resolve);
    }
    for (const subscription of subscriptions) subscription.unsubscribe();
    const [alpha, gamma] = [uploads(heard.alpha), uploads(heard.gamma)];
    assert.deepEqual(alpha.map(([project, resource]) => [project, resource]), [[
      'alpha',
      'image-0',
    ]]);
    assert.deepEqual(gamma.map((change) => change.slice(0, 4)), [['gamma', 'new-image', 1, null]]);
    assert.deepEqual(uploads(heard.all), [...alpha, ...gamma]);
  });

  test('one key has a bounded number of subscriptions, and gets them back', async () => {
    const client = system.client(await system.projectToken('delta'));
    const open = Array.from({ length: MAX_SUBSCRIPTIONS_OF_KEY }, () => new Listener(client));
    await Promise.all(open.map((listener) => listener.count(1)));
    const refused = await new Listener(client).failure() as { data?: { error_code?: string } };
    assert.equal(refused.data?.error_code, 'too_many_subscriptions');
    for (const listener of open) listener.stop();
    const again = async (): Promise<boolean> => {
      const listener = new Listener(client);
      const came = await listener.count(1).then(() => true, () => false);
      listener.stop();
      return came;
    };
    // The server learns of an ended connection a moment later.
    while (!await again()) await new Promise((resolve) => setImmediate(resolve));
  });
});
