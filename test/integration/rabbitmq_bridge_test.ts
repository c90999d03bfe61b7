import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { connectBus } from '../../bus/connection.ts';
import { IntakePublisher } from '../../bus/publisher.ts';
import { openIntakePuller } from '../../bus/puller.ts';
import { ensureIntakeStream } from '../../bus/streams.ts';
import { INTAKE_STREAM, IntakeHeader } from '../../bus/subjects.ts';
import { trimIntake } from '../../bus/trim.ts';
import { type Bridge, type BridgeOptions, startBridge } from '../../collectors/rabbitmq/bridge.ts';
import { NephoError } from '../../meters/errors.ts';
import { decodeNotification } from '../../meters/notification.ts';
import { recordedNotifications } from '../support/fixtures.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { type RabbitServer, rabbitSkipReason, startRabbit } from '../support/rabbitmq.ts';

const MEBIBYTE = 1024 * 1024;
const LIMIT_MS = 60_000;
const skip = natsSkipReason() || await rabbitSkipReason();

describe('the RabbitMQ bridge', { skip }, () => {
  let rabbit: RabbitServer;
  let nats: NatsServer;
  let nc: NatsConnection;
  let jsm: JetStreamManager;
  let cloud: Cloud;

  before(async () => {
    [rabbit, nats] = await Promise.all([startRabbit(), startNats()]);
    nc = await connectBus({ url: nats.url, name: 'bridge_test' });
    jsm = await jetstreamManager(nc);
    cloud = new Cloud(rabbit.url);
  });

  beforeEach(async () => {
    await cloud.clear();
    await jsm.streams.delete(INTAKE_STREAM).catch(() => undefined);
    await ensureIntakeStream(jsm, { shards: 1, maxBytes: 64 * MEBIBYTE });
  });

  after(async () => {
    await cloud.clear();
    await nc.close();
    await Promise.all([nats.stop(), rabbit.stop()]);
  });

  function bridge(options: Partial<BridgeOptions> = {}): Promise<Bridge> {
    return startBridge({
      amqpUrl: rabbit.url,
      queue: cloud.queue,
      exchanges: [cloud.exchange('nova'), cloud.exchange('glance')],
      lookEveryMs: 100,
      publisher: new IntakePublisher(nc, { shards: 1, ackTimeoutMs: 1_000 }),
      log: { info: () => {}, warn: () => {} },
      ...options,
    });
  }

  test("carries both of oslo's forms unchanged, and acknowledges every one", async () => {
    await cloud.declare('nova');
    const running = await bridge();
    const enveloped = recordedNotifications().map(({ body }) => body);
    const flat = enveloped.map((body): string => JSON.parse(body)['oslo.message']);
    await cloud.publish('nova', 'notifications.info', [...enveloped, ...flat]);
    const bodies = await intake(nc, enveloped.length + flat.length);
    assert.deepEqual(bodies.toSorted(), [...enveloped, ...flat].toSorted());
    await eventually(() => running.stats().waiting === 0);
    await running.stop();
    assert.equal(running.stats().published, bodies.length);
    assert.equal(await cloud.waiting(), 0);
    for (const body of bodies) decodeNotification(Buffer.from(body));
  });

  test('takes every priority and topic, says where each came from, and takes nothing else', async () => {
    await cloud.declare('nova');
    const running = await bridge();
    const keys = [
      ...['audit', 'debug', 'info', 'warn', 'error', 'critical', 'sample'].map((priority) =>
        `notifications.${priority}`
      ),
      'versioned_notifications.info',
    ];
    for (const key of [...keys, 'conductor', 'reply_1']) await cloud.publish('nova', key, [key]);
    assert.deepEqual((await intake(nc, keys.length)).toSorted(), keys.toSorted());
    await running.stop();
    const stored = await jsm.streams.getMessage(INTAKE_STREAM, { seq: 1 });
    assert.equal(stored?.header.get(IntakeHeader.exchange), cloud.exchange('nova'));
    assert.equal(stored?.header.get(IntakeHeader.routingKey), stored?.string());
    assert.equal(stored?.header.get(IntakeHeader.via), 'rabbitmq');
  });

  test('binds an exchange that appears later', async () => {
    await cloud.declare('nova');
    const running = await bridge();
    assert.deepEqual(running.stats().missing, [cloud.exchange('glance')]);
    await cloud.declare('glance', { durable: false });
    await eventually(() => running.stats().missing.length === 0);
    await cloud.publish('glance', 'notifications.info', ['late']);
    assert.deepEqual(await intake(nc, 1), ['late']);
    await running.stop();
  });

  test('takes a queue as its operator declared it', async () => {
    await cloud.declare('nova');
    await cloud.declareQueue({ 'x-max-length': 5_000 });
    const running = await bridge();
    await cloud.publish('nova', 'notifications.info', ['a']);
    assert.deepEqual(await intake(nc, 1), ['a']);
    await running.stop();
  });

  test('forwards rubbish as it is', async () => {
    await cloud.declare('nova');
    const running = await bridge();
    const rubbish = [Buffer.from([0xff, 0x00, 0xfe]), Buffer.from('{'), Buffer.alloc(0)];
    await cloud.publish('nova', 'notifications.info', rubbish);
    const puller = await openIntakePuller(nc, 0);
    const messages = await puller.pull({ maxMessages: 3, maxWaitMs: 10_000 });
    assert.deepEqual(
      messages.map(({ bytes }) => Buffer.from(bytes).toString('hex')).toSorted(),
      rubbish.map((bytes) => bytes.toString('hex')).toSorted(),
    );
    await puller.close();
    await running.stop();
  });

  test('carries a message that is larger than NATS takes', async () => {
    await cloud.declare('nova');
    const running = await bridge();
    const large = JSON.stringify({ event_type: 'a', payload: 'ä'.repeat(2 * MEBIBYTE) });
    await cloud.publish('nova', 'notifications.info', ['before', large, 'after']);
    assert.deepEqual(
      (await intake(nc, 3)).toSorted(),
      ['before', large, 'after'].toSorted(),
    );
    await running.stop();
    assert.equal(await cloud.waiting(), 0);
  });

  test('counts what comes twice and stores it once', async () => {
    await cloud.declare('nova');
    const running = await bridge();
    await cloud.publish('nova', 'notifications.info', ['same', 'same', 'other']);
    await eventually(() => running.stats().duplicates === 1 && running.stats().published === 2);
    await running.stop();
    assert.equal((await jsm.streams.info(INTAKE_STREAM)).state.messages, 2);
    assert.equal(await cloud.waiting(), 0);
  });

  test('two bridges share the work, and each notification is stored once', async () => {
    await cloud.declare('nova');
    const running = await Promise.all([
      bridge({ prefetch: 20 }),
      bridge({ prefetch: 20 }),
    ]);
    const sent = numbered(2_000);
    await cloud.publish('nova', 'notifications.info', sent);
    await eventually(() => published(running) === sent.length);
    assert.ok(running.every((one) => one.stats().published > 0));
    await Promise.all(running.map((one) => one.stop()));
    assert.deepEqual((await intake(nc, sent.length)).toSorted(), sent.toSorted());
    assert.equal((await jsm.streams.info(INTAKE_STREAM)).state.messages, sent.length);
  });

  test('a bridge that is stopped under load leaves the rest to the next one', async () => {
    await cloud.declare('nova');
    const first = await bridge({ prefetch: 50 });
    const sent = numbered(3_000);
    const publishing = cloud.publish('nova', 'notifications.info', sent);
    await eventually(() => first.stats().published > 100);
    await first.stop();
    assert.equal(first.stats().waiting, 0, 'what it held is settled');
    await publishing;
    const second = await bridge();
    assert.deepEqual((await intake(nc, sent.length)).toSorted(), sent.toSorted());
    await eventually(() => published([first, second]) === sent.length);
    await second.stop();
    assert.equal(await cloud.waiting(), 0);
  });

  test('keeps everything while NATS is away, and goes on when it is back', async () => {
    await cloud.declare('nova');
    const running = await bridge({ prefetch: 100 });
    const sent = numbered(1_000);
    await cloud.publish('nova', 'notifications.info', sent.slice(0, 300));
    await eventually(() => running.stats().published > 50);
    await nats.kill();
    await cloud.publish('nova', 'notifications.info', sent.slice(300));
    await eventually(() => running.stats().refusals > 0);
    const { published: before } = running.stats();
    assert.ok(before < sent.length);
    await nats.start();
    await eventually(() => running.stats().waiting === 0 && settled(running) === sent.length);
    await running.stop();
    assert.deepEqual(distinct(await intake(nc, sent.length)), sent.toSorted());
  });

  test('acknowledges nothing that a full intake refused, and goes on when there is room', async () => {
    await ensureIntakeStream(jsm, { shards: 1, maxBytes: MEBIBYTE / 4 });
    await cloud.declare('nova');
    const running = await bridge();
    const sent = numbered(200).map((body) => body.padEnd(4_000, '.'));
    await cloud.publish('nova', 'notifications.info', sent);
    await eventually(() => running.stats().refusals > 0);
    const stored = (await jsm.streams.info(INTAKE_STREAM)).state.messages;
    assert.ok(stored < sent.length);
    assert.equal(running.stats().published, stored);
    assert.equal(running.stats().waiting, sent.length - stored);
    const received = await intake(nc, stored);
    await trimIntake(nc, jsm, { keepBytes: 0 });
    await ensureIntakeStream(jsm, { shards: 1, maxBytes: 64 * MEBIBYTE });
    received.push(...await intake(nc, sent.length - stored));
    assert.deepEqual(received.toSorted(), sent.toSorted());
    await running.stop();
    assert.equal(await cloud.waiting(), 0);
  });

  test('goes on after RabbitMQ was restarted, and after it was killed', async (t) => {
    const control = rabbit.control;
    if (control === null) return t.skip('the broker is not ours to restart');
    await cloud.declare('nova');
    const running = await bridge({ prefetch: 100 });
    const sent = numbered(900);
    await cloud.publish('nova', 'notifications.info', sent.slice(0, 300));
    await eventually(() => running.stats().published > 50);
    await control.shutDown();
    await eventually(() => !running.stats().connected);
    await control.start();
    await cloud.publish('nova', 'notifications.info', sent.slice(300, 600));
    await eventually(() => running.stats().connected);
    await control.kill();
    await control.start();
    await cloud.publish('nova', 'notifications.info', sent.slice(600));
    assert.deepEqual(distinct(await intake(nc, sent.length)), sent.toSorted());
    await eventually(() => running.stats().waiting === 0);
    assert.equal(running.stats().reconnects, 2);
    await running.stop();
    assert.equal(await cloud.waiting(), 0);
  });

  test('starts anew when its queue is deleted', async () => {
    await cloud.declare('nova');
    const running = await bridge();
    await cloud.deleteQueue();
    await eventually(() => running.stats().reconnects === 1 && running.stats().connected);
    await cloud.publish('nova', 'notifications.info', ['again']);
    assert.deepEqual(await intake(nc, 1), ['again']);
    await running.stop();
  });

  test('says that nobody answers or that we are refused, without the password', async () => {
    await assert.rejects(
      bridge({ amqpUrl: 'amqp://nepho:hunter2@127.0.0.1:1/' }),
      (error) =>
        error instanceof NephoError && error.code === 'rabbitmq_unavailable' && error.retryable &&
        !error.message.includes('hunter2'),
    );
    const url = new URL(rabbit.url);
    url.password = 'hunter2';
    await assert.rejects(
      bridge({ amqpUrl: url.href }),
      (error) =>
        error instanceof NephoError && error.code === 'rabbitmq_refused' &&
        !error.message.includes('hunter2'),
    );
    await assert.rejects(
      bridge({ amqpUrl: 'http://x:hunter2@y' }),
      (error) =>
        error instanceof NephoError && error.code === 'amqp_url_invalid' &&
        !error.message.includes('hunter2'),
    );
  });
});

/** Publishes as OpenStack's services do, to exchanges that are only this test's. */
class Cloud {
  readonly queue = `nepho-test-${process.pid}`;
  readonly #url: string;
  readonly #exchanges = new Set<string>();

  constructor(url: string) {
    this.#url = url;
  }

  exchange(service: string): string {
    return `${this.queue}-${service}`;
  }

  async declare(service: string, options = { durable: true }): Promise<void> {
    const exchange = this.exchange(service);
    this.#exchanges.add(exchange);
    await this.#do((channel) => channel.assertExchange(exchange, 'topic', options));
  }

  async declareQueue(args: Record<string, unknown>): Promise<void> {
    await this.#do((channel) =>
      channel.assertQueue(this.queue, { durable: true, arguments: args })
    );
  }

  async deleteQueue(): Promise<void> {
    await this.#do((channel) => channel.deleteQueue(this.queue));
  }

  async publish(service: string, key: string, bodies: readonly (string | Buffer)[]): Promise<void> {
    await this.#do(async (channel) => {
      for (const body of bodies) {
        channel.publish(this.exchange(service), key, Buffer.from(body), { persistent: true });
      }
      await channel.waitForConfirms();
    });
  }

  /** Messages in our queue that no bridge holds. */
  async waiting(): Promise<number> {
    let count = 0;
    await this.#do(async (channel) => {
      count = (await channel.checkQueue(this.queue)).messageCount;
    });
    return count;
  }

  async clear(): Promise<void> {
    await this.#do(async (channel) => {
      await channel.deleteQueue(this.queue);
      for (const exchange of this.#exchanges) await channel.deleteExchange(exchange);
    });
    this.#exchanges.clear();
  }

  async #do(action: (channel: ConfirmChannel) => Promise<unknown>): Promise<void> {
    const model: ChannelModel = await connect(this.#url);
    model.on('error', () => {});
    const channel = await model.createConfirmChannel();
    channel.on('error', () => {});
    await action(channel);
    await model.close();
  }
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"message_id":"${index}"}`);
}

function published(bridges: readonly Bridge[]): number {
  return bridges.reduce((sum, one) => sum + one.stats().published, 0);
}

function settled(bridge: Bridge): number {
  return bridge.stats().published + bridge.stats().duplicates;
}

function distinct(bodies: readonly string[]): string[] {
  return [...new Set(bodies)].toSorted();
}

/** Pulls and acknowledges until `count` different bodies came. @returns all that came */
async function intake(nc: NatsConnection, count: number): Promise<string[]> {
  const puller = await openIntakePuller(nc, 0);
  const bodies: string[] = [];
  const deadline = Date.now() + LIMIT_MS;
  while (new Set(bodies).size < count && Date.now() < deadline) {
    for (const message of await puller.pull({ maxMessages: 500, maxWaitMs: 200 })) {
      bodies.push(Buffer.from(message.bytes).toString());
      message.ack();
    }
  }
  await puller.close();
  return bodies;
}

async function eventually(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within ${LIMIT_MS} ms: ${condition.toString()}`);
    await delay(20);
  }
}
