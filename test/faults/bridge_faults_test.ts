/** The whole line from RabbitMQ to the log, while its servers are killed one after the other. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'amqplib';
import { type Bridge, startBridge } from '../../collectors/rabbitmq/bridge.ts';
import { makeWorkload, type Parcel, shuffled } from '../support/fault_workload.ts';
import { FaultWorld, makeTemplate } from '../support/fault_world.ts';
import { SeededRandom } from '../../cli/demo/random.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';
import { type RabbitServer, rabbitSkipReason, startRabbit } from '../support/rabbitmq.ts';

const EXCHANGE = `nepho-faults-${process.pid}`;
const LIMIT_MS = 60_000;
const skip = postgresSkipReason() || natsSkipReason() || await rabbitSkipReason();

describe('from RabbitMQ to the log', { skip }, () => {
  let postgres: PostgresServer;
  let rabbit: RabbitServer;
  let world: FaultWorld;

  before(async () => {
    [postgres, rabbit] = await Promise.all([startPostgres({ fsync: false }), startRabbit()]);
    const databaseUrl = await makeTemplate(postgres);
    world = await FaultWorld.create({ seed: 'bridge', shards: 2, databaseUrl });
  });

  after(async () => {
    await world?.close();
    await rabbit?.stop();
    await postgres?.stop();
  });

  test('every notification is counted once, though broker, bus and worker are killed', async (t) => {
    const { control } = rabbit;
    if (control === null) return t.skip('the RabbitMQ that is here is not ours to kill');
    const { parcels } = makeWorkload('bridge', 600);
    const twice = shuffled([...parcels, ...parcels], new SeededRandom('bridge'));
    const third = Math.ceil(twice.length / 3);
    await declareExchange(rabbit.url);
    const bridges = [await bridge(), await bridge()];
    await offer(rabbit.url, twice.slice(0, third));
    await moved(bridges, 20);
    await control.kill();
    await control.start();
    await world.drain();
    await world.gatherEvidence();
    await offer(rabbit.url, twice.slice(third, 2 * third));
    await moved(bridges, third);
    await world.nats.kill();
    await offer(rabbit.url, twice.slice(2 * third));
    await world.nats.start();
    const child = world.startWorker({
      batchSize: 20,
      fault: { step: 'committed', occurrence: 3, action: 'kill' },
    });
    assert.equal(await child.ended, 'SIGKILL', child.errors());
    await emptied(rabbit.url, bridges);
    for (const one of bridges) await one.stop();
    await world.drain();
    assert.deepEqual(await world.findFaults(parcels), []);
  });

  function bridge(): Promise<Bridge> {
    return startBridge({
      amqpUrl: rabbit.url,
      queue: EXCHANGE,
      exchanges: [EXCHANGE],
      prefetch: 50,
      lookEveryMs: 200,
      publisher: world.publisher(),
      log: { info: () => {}, warn: () => {} },
    });
  }
});

async function declareExchange(url: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  await connection.close();
}

async function offer(url: string, parcels: readonly Parcel[]): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  for (const { bytes } of parcels) {
    channel.publish(EXCHANGE, 'notifications.info', Buffer.from(bytes), { persistent: true });
  }
  await channel.waitForConfirms();
  await connection.close();
}

async function moved(bridges: readonly Bridge[], wanted: number): Promise<void> {
  await until(() => {
    const counts = bridges.map((one) => one.stats());
    return counts.reduce((sum, one) => sum + one.published + one.duplicates, 0) >= wanted;
  });
}

/** Waits until nothing is in the queue and no bridge holds anything. */
async function emptied(url: string, bridges: readonly Bridge[]): Promise<void> {
  await until(() => bridges.every((one) => one.stats().connected));
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await until(async () => {
    const { messageCount } = await channel.checkQueue(EXCHANGE);
    return messageCount === 0 && bridges.every((one) => one.stats().waiting === 0);
  });
  await channel.deleteQueue(EXCHANGE);
  await connection.close();
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`not ${condition.toString()}`);
    await delay(50);
  }
}
