import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { connectBus } from '../../bus/connection.ts';
import { LargeBodies } from '../../bus/large_bodies.ts';
import { IntakePublisher, type Publication, shardOfBody } from '../../bus/publisher.ts';
import { type IntakeMessage, type IntakePuller, openIntakePuller } from '../../bus/puller.ts';
import { ensureIntakeStream, intakeShards } from '../../bus/streams.ts';
import { INTAKE_STREAM, IntakeHeader, LARGE_BUCKET_STREAM } from '../../bus/subjects.ts';
import { readSyncInterval } from '../../bus/sync_interval.ts';
import { trimIntake } from '../../bus/trim.ts';
import { NephoError } from '../../meters/errors.ts';
import { recordedNotifications } from '../support/fixtures.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';

const MEBIBYTE = 1024 * 1024;
const ENCODER = new TextEncoder();

describe('the intake', { skip: natsSkipReason() }, () => {
  let server: NatsServer;
  let nc: NatsConnection;
  let jsm: JetStreamManager;

  before(async () => {
    server = await startNats();
    nc = await connectBus({ url: server.url, name: 'bus_test' });
    jsm = await jetstreamManager(nc);
  });

  after(async () => {
    await nc.close();
    await server.stop();
  });

  async function fresh(shards: number, maxBytes = 64 * MEBIBYTE, ackWaitMs = 30_000) {
    for (const stream of [INTAKE_STREAM, LARGE_BUCKET_STREAM]) {
      await jsm.streams.delete(stream).catch(() => undefined);
    }
    await ensureIntakeStream(jsm, { shards, maxBytes, ackWaitMs });
    return new IntakePublisher(nc, { shards });
  }

  test('ensureIntakeStream may be repeated and by several at once, and follows changed limits', async () => {
    await fresh(2);
    const options = { shards: 2, maxBytes: 128 * MEBIBYTE, ackWaitMs: 5_000 };
    await Promise.all([1, 2, 3].map(() => ensureIntakeStream(jsm, options)));
    const { config } = await jsm.streams.info(INTAKE_STREAM);
    assert.equal(config.max_bytes, 128 * MEBIBYTE);
    assert.equal(config.discard, 'new');
    const consumer = await jsm.consumers.info(INTAKE_STREAM, 'ingest-1');
    assert.equal(consumer.config.ack_wait, 5_000_000_000);
    assert.equal(consumer.config.max_deliver, -1);
    assert.equal(await intakeShards(jsm), 2);
  });

  test('ensureIntakeStream refuses another number of shards and leaves the intake alone', async () => {
    await fresh(2);
    await assert.rejects(
      ensureIntakeStream(jsm, { shards: 3, maxBytes: MEBIBYTE }),
      { code: 'shards_conflict' },
    );
    assert.equal((await jsm.streams.info(INTAKE_STREAM)).config.max_bytes, 64 * MEBIBYTE);
  });

  test('intakeShards says that the intake is missing', async () => {
    await jsm.streams.delete(INTAKE_STREAM).catch(() => undefined);
    await assert.rejects(intakeShards(jsm), { code: 'intake_missing', retryable: true });
  });

  test('what is published comes out once, unchanged, in the shard of its project', async () => {
    const publisher = await fresh(3);
    const sent = recordedNotifications().map(({ body, exchange, routing_key }): Publication => ({
      bytes: ENCODER.encode(body),
      via: 'rabbitmq',
      exchange,
      routingKey: routing_key,
    }));
    const outcomes = await publisher.publishAll(sent);
    assert.ok(outcomes.every((outcome) => outcome.status === 'stored'));
    const received: IntakeMessage[] = [];
    for (let shard = 0; shard < 3; shard += 1) {
      const puller = await openIntakePuller(nc, shard);
      const messages = await drain(puller);
      for (const message of messages) assert.equal(shardOfBody(message.bytes, 3), shard);
      assert.equal(await puller.pending(), 0);
      await puller.close();
      received.push(...messages);
    }
    assert.deepEqual(
      received.toSorted((left, right) => left.sequence - right.sequence).map((message) => ({
        body: Buffer.from(message.bytes).toString(),
        via: message.via,
        exchange: message.header(IntakeHeader.exchange),
        deliveryCount: message.deliveryCount,
      })).toSorted(byBody),
      sent.map((publication) => ({
        body: Buffer.from(publication.bytes).toString(),
        via: 'rabbitmq',
        exchange: publication.exchange,
        deliveryCount: 1,
      })).toSorted(byBody),
    );
  });

  test('the same bytes again are a duplicate, other bytes under the same id are not', async () => {
    const publisher = await fresh(1);
    const first = publication('{"message_id":"m","event_type":"a","payload":1}');
    const other = publication('{"message_id":"m","event_type":"a","payload":2}');
    const outcomes = await publisher.publishAll([first, other]);
    assert.deepEqual(outcomes.map((outcome) => outcome.status), ['stored', 'stored']);
    assert.equal((await publisher.publish(first)).status, 'duplicate');
    assert.equal((await publisher.publish({ ...first, again: true })).status, 'stored');
  });

  test('pull returns what is there after the wait, and at once when the batch is full', async () => {
    const publisher = await fresh(1);
    const puller = await openIntakePuller(nc, 0);
    assert.deepEqual(await puller.pull({ maxMessages: 10, maxWaitMs: 50 }), []);
    await publisher.publishAll(Array.from({ length: 12 }, (_, index) => publication(`${index}`)));
    const started = performance.now();
    const full = await puller.pull({ maxMessages: 10, maxWaitMs: 20_000 });
    assert.ok(performance.now() - started < 10_000);
    assert.equal(full.length, 10);
    const rest = await puller.pull({ maxMessages: 10, maxWaitMs: 100 });
    assert.equal(rest.length, 2);
    assert.equal(await puller.pending(), 12);
    for (const message of [...full, ...rest]) message.ack();
    await puller.flush();
    await settled(() => puller.pending(), 0);
    await puller.close();
  });

  test('a message handed back comes again with its count, not before the delay', async () => {
    const publisher = await fresh(1);
    await publisher.publish(publication('{}'));
    const puller = await openIntakePuller(nc, 0);
    const [message] = await puller.pull({ maxMessages: 1, maxWaitMs: 5_000 });
    const started = performance.now();
    message?.nak(300);
    const [again] = await puller.pull({ maxMessages: 1, maxWaitMs: 10_000 });
    assert.ok(performance.now() - started >= 250);
    assert.equal(again?.deliveryCount, 2);
    assert.equal(again?.sequence, message?.sequence);
    again?.ack();
    await puller.close();
  });

  test('what a dead puller left comes to the next one after the wait for its acknowledgement', async () => {
    const publisher = await fresh(1, 64 * MEBIBYTE, 500);
    await publisher.publishAll(['1', '2', '3'].map(publication));
    const connection = await connectBus({ url: server.url, name: 'dies' });
    const dead = await openIntakePuller(connection, 0);
    assert.equal((await dead.pull({ maxMessages: 3, maxWaitMs: 5_000 })).length, 3);
    await connection.close();
    const puller = await openIntakePuller(nc, 0);
    const messages = await puller.pull({ maxMessages: 3, maxWaitMs: 10_000 });
    assert.deepEqual(messages.map((message) => message.deliveryCount), [2, 2, 2]);
    for (const message of messages) message.ack();
    await puller.close();
  });

  test('a body over the largest message travels as an object, unchanged', async () => {
    const publisher = await fresh(1);
    const body = JSON.stringify({ event_type: 'a', payload: 'x'.repeat(3 * MEBIBYTE) });
    assert.equal((await publisher.publish(publication(body))).status, 'stored');
    assert.equal((await publisher.publish(publication(body))).status, 'duplicate');
    const puller = await openIntakePuller(nc, 0);
    const [message] = await puller.pull({ maxMessages: 10, maxWaitMs: 1_000 });
    assert.equal(message?.fault, null);
    assert.equal(Buffer.from(message?.bytes ?? []).toString(), body);
    message?.ack();
    await puller.close();
    // The object of the duplicate is gone, that of the message is there.
    const { state } = await jsm.streams.info(LARGE_BUCKET_STREAM);
    assert.ok(state.bytes < 5 * MEBIBYTE);
  });

  test('a message whose object is gone says so and does not stop the others', async () => {
    const publisher = await fresh(1);
    await publisher.publish(publication(`"${'x'.repeat(2 * MEBIBYTE)}"`));
    await publisher.publish(publication('{}'));
    const puller = await openIntakePuller(nc, 0);
    const bodies = new LargeBodies(nc);
    const stored = await jsm.streams.getMessage(INTAKE_STREAM, { seq: 1 });
    await bodies.remove(stored?.header.get(IntakeHeader.object) ?? '');
    const messages = await puller.pull({ maxMessages: 10, maxWaitMs: 500 });
    assert.deepEqual(messages.map((message) => message.fault?.code ?? null), [
      'object_missing',
      null,
    ]);
    for (const message of messages) message.ack();
    await puller.close();
  });

  test('a full intake refuses with advice, loses nothing, and takes more when trimmed', async () => {
    const publisher = await fresh(1, MEBIBYTE);
    const items = Array.from({ length: 400 }, (_, n) => publication(`"${n}${'x'.repeat(5_000)}"`));
    const outcomes = await publisher.publishAll(items);
    const stored = outcomes.filter((outcome) => outcome.status === 'stored').length;
    const refused = outcomes.filter((outcome) => outcome.status === 'refused');
    assert.ok(stored > 100 && stored < 300);
    assert.equal(refused[0]?.error.code, 'intake_full');
    assert.equal(refused[0]?.error.retryable, true);
    assert.ok(Number(refused[0]?.error.context['retry_after_ms']) > 0);
    await assert.rejects(publisher.publish({ ...publication('1'.repeat(5_000)) }), {
      code: 'intake_full',
    });

    const unread = await trimIntake(nc, jsm, { keepBytes: 0 });
    assert.equal(unread.messages, 0, 'nothing that is not acknowledged goes');
    const puller = await openIntakePuller(nc, 0);
    assert.equal((await drain(puller)).length, stored);
    await puller.close();
    const trimmed = await trimIntake(nc, jsm, { keepBytes: MEBIBYTE / 2 });
    assert.ok(trimmed.messages > 0 && trimmed.bytes <= 0.6 * MEBIBYTE && trimmed.bytes > 0);
    assert.equal((await publisher.publish(publication('"one more"'))).status, 'stored');
  });

  test('trimIntake keeps what one shard has not acknowledged, though another has all', async () => {
    const publisher = await fresh(2);
    const items = Array.from({ length: 40 }, (_, index) => publication(`"body ${index}"`));
    await publisher.publishAll(items);
    const puller = await openIntakePuller(nc, 0);
    await drain(puller);
    await trimIntake(nc, jsm, { keepBytes: 0 });
    const other = await openIntakePuller(nc, 1);
    const expected = items.filter(({ bytes }) => shardOfBody(bytes, 2) === 1).length;
    assert.equal((await drain(other)).length, expected);
    await trimIntake(nc, jsm, { keepBytes: 0 });
    assert.equal((await jsm.streams.info(INTAKE_STREAM)).state.messages, 0);
    await puller.close();
    await other.close();
  });

  test('publisher and puller go on after the server was killed and came back', async () => {
    await fresh(1);
    const publisher = new IntakePublisher(nc, { shards: 1, ackTimeoutMs: 1_000 });
    const puller = await openIntakePuller(nc, 0);
    await publisher.publishAll(['1', '2', '3'].map(publication));
    const first = await puller.pull({ maxMessages: 2, maxWaitMs: 5_000 });
    first[0]?.ack();
    await puller.flush();
    await server.kill();
    const refused = await publisher.publishAll([publication('4')]);
    assert.equal(refused[0]?.status, 'refused');
    await server.start();
    const bodies = new Set<string>();
    await settled(async () => {
      const [outcome] = await publisher.publishAll([publication('4')]);
      return outcome?.status === 'refused';
    }, false);
    await settled(async () => {
      const messages = await puller.pull({ maxMessages: 10, maxWaitMs: 100 }).catch(() => []);
      for (const message of messages) {
        bodies.add(Buffer.from(message.bytes).toString());
        message.ack();
      }
      first[1]?.nak(0);
      // The server may have forgotten the acknowledgement of 1, and then it comes again.
      bodies.delete('1');
      return [...bodies].sort((left, right) => left.localeCompare(right)).join();
    }, '2,3,4');
    await puller.close();
  });

  test('readSyncInterval tells what the server does, and says when it cannot know', async () => {
    const known = await readSyncInterval(nc, server.monitorUrl);
    assert.deepEqual(known, { known: true, always: true, seconds: 120, warning: null });
    const unknown = await readSyncInterval(nc, null);
    assert.equal(unknown.known, false);
    assert.match(unknown.warning ?? '', /Cannot tell/);
    const lazy = await startNats({ syncInterval: '30s' });
    try {
      const answer = await readSyncInterval(nc, lazy.monitorUrl);
      assert.equal(answer.seconds, 30);
      assert.match(answer.warning ?? '', /up to 30 s/);
    } finally {
      await lazy.stop();
    }
  });
});

describe('connectBus', { skip: natsSkipReason() }, () => {
  test('refuses a wrong URL without printing its password', async () => {
    await assert.rejects(
      connectBus({ url: 'http://user:hunter2@127.0.0.1', name: 'test' }),
      (error) =>
        error instanceof NephoError && error.code === 'bus_url_invalid' &&
        !error.message.includes('hunter2'),
    );
  });

  test('says when nobody answers, and when the password is wrong', async () => {
    const server = await startNats({
      config: 'authorization { user: nepho, password: "p@ss" }',
    });
    const { host } = new URL(server.url);
    await assert.rejects(connectBus({ url: server.url, name: 'test' }), { code: 'bus_refused' });
    const nc = await connectBus({ url: `nats://nepho:p%40ss@${host}`, name: 'test' });
    await nc.close();
    await server.stop();
    await assert.rejects(connectBus({ url: server.url, name: 'test' }), {
      code: 'bus_unavailable',
      retryable: true,
    });
  });
});

function publication(body: string): Publication {
  return { bytes: ENCODER.encode(body), via: 'send' };
}

function byBody(left: { body: string }, right: { body: string }): number {
  return left.body < right.body ? -1 : 1;
}

/** Pulls and acknowledges until nothing comes. */
async function drain(puller: IntakePuller): Promise<IntakeMessage[]> {
  const all: IntakeMessage[] = [];
  for (;;) {
    const messages = await puller.pull({ maxMessages: 100, maxWaitMs: 200 });
    if (messages.length === 0) break;
    for (const message of messages) message.ack();
    all.push(...messages);
  }
  await puller.flush();
  await settled(() => puller.pending(), 0);
  return all;
}

/** Asks until the answer is the expected one; acknowledgements and restarts take their time. */
async function settled<T>(ask: () => Promise<T>, expected: T): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (answer === expected || Date.now() > deadline) {
      assert.equal(answer, expected);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
