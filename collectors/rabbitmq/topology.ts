import type { Channel, ChannelModel } from 'amqplib';

/**
 * The control exchanges that OpenStack's services publish notifications on. The first fifteen are
 * Ceilometer's `notification_control_exchanges`; the others are the `control_exchange` of services that
 * it leaves to the operator, and `openstack`, oslo.messaging's own default. (oslo never sends a
 * notification through RabbitMQ's nameless exchange: impl_rabbit.py, notify_send.)
 */
export const DEFAULT_EXCHANGES: readonly string[] =
  ('nova glance neutron cinder heat keystone sahara trove zaqar swift ceilometer magnum dns ironic aodh ' +
    'designate octavia manila share barbican masakari mistral murano senlin watcher vitrage cyborg ' +
    'blazar tacker zun placement openstack').split(' ');
/** oslo's default topic, and that of Nova's versioned notifications. */
export const DEFAULT_TOPICS: readonly string[] = ['notifications', 'versioned_notifications'];
/** Every priority that oslo.messaging's Notifier has. */
export const DEFAULT_PRIORITIES: readonly string[] = 'audit debug info warn error critical sample'
  .split(' ');
export const DEFAULT_QUEUE = 'nepho.notifications';

/** What of RabbitMQ the bridge listens to. */
export interface Topology {
  /** Our own durable queue; never one of the services', for consumers of one queue share it. */
  queue: string;
  /** As `x-queue-type` where the queue is made here: `classic` unless given. */
  queueType?: 'classic' | 'quorum';
  exchanges: readonly string[];
  topics: readonly string[];
  priorities: readonly string[];
}

/** `notifications.info` and so on: the routing keys that oslo.messaging publishes with. */
export function routingKeys(topology: Pick<Topology, 'topics' | 'priorities'>): string[] {
  return topology.topics.flatMap((topic) =>
    topology.priorities.map((priority) => `${topic}.${priority.toLowerCase()}`)
  );
}

/** Makes our queue if it is not there. One that is there stays as its operator declared it. */
export async function ensureQueue(model: ChannelModel, topology: Topology): Promise<void> {
  if (await onFreshChannel(model, (channel) => channel.checkQueue(topology.queue)) !== null) return;
  const made = await onFreshChannel(model, (channel) =>
    channel.assertQueue(topology.queue, {
      durable: true,
      arguments: { 'x-queue-type': topology.queueType ?? 'classic' },
    }));
  // Another bridge may have made it meanwhile, otherwise than we would.
  if (made === null) await withChannel(model, (channel) => channel.checkQueue(topology.queue));
}

/**
 * Binds our queue to an exchange that is there. We never declare one: with another durability than its
 * service's the declaration would fail, there or here.
 *
 * @returns false if there is no such exchange yet
 */
export async function bindExchange(
  model: ChannelModel,
  topology: Topology,
  exchange: string,
): Promise<boolean> {
  const bound = await onFreshChannel(model, async (channel) => {
    await channel.checkExchange(exchange);
    for (const key of routingKeys(topology)) {
      await channel.bindQueue(topology.queue, exchange, key);
    }
    return true;
  });
  return bound ?? false;
}

const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/** Does something on a channel of its own, which a refusal closes; null if it was refused so. */
async function onFreshChannel<T>(
  model: ChannelModel,
  action: (channel: Channel) => Promise<T>,
): Promise<T | null> {
  try {
    return await withChannel(model, action);
  } catch (error) {
    const code = amqpCode(error);
    if (code === NOT_FOUND || code === PRECONDITION_FAILED) return null;
    throw error;
  }
}

async function withChannel<T>(
  model: ChannelModel,
  action: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await model.createChannel();
  // The refusal arrives as the action's rejection; as an unheard event it would end the process.
  channel.on('error', () => {});
  const result = await action(channel);
  await channel.close();
  return result;
}

/** The AMQP reply code of an error, or null. */
export function amqpCode(error: unknown): number | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'number' ? code : null;
}
