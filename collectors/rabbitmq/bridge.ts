import { randomInt } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import type { IntakePublisher, Publication } from '../../bus/publisher.ts';
import { errorMessage, isNephoError, type NephoError } from '../../meters/errors.ts';
import { amqpUrlForPeople, parseAmqpUrl } from './amqp_url.ts';
import { backoffMs } from './backoff.ts';
import { DeliveryPump } from './delivery_pump.ts';
import { RabbitSession } from './session.ts';
import {
  DEFAULT_EXCHANGES,
  DEFAULT_PRIORITIES,
  DEFAULT_QUEUE,
  DEFAULT_TOPICS,
  type Topology,
} from './topology.ts';

/** Structured logging: an event's name and its fields, no payloads. */
export interface BridgeLog {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
}

export interface BridgeOptions extends Partial<Topology> {
  /** `amqp://user:password@host:5672/vhost`, or a service's `transport_url`: see `parseAmqpUrl`. */
  amqpUrl: string;
  caCertificate?: string;
  /** Names this bridge in RabbitMQ's lists; `nepho bridge` unless given. */
  name?: string;
  publisher: Pick<IntakePublisher, 'publishAll'>;
  log: BridgeLog;
  /** Deliveries held at a time. */
  prefetch?: number;
  /** How often to look for exchanges that were not there; RabbitMQ logs each look that fails. */
  lookEveryMs?: number;
  /** Keep trying if RabbitMQ is not there at the start, rather than fail. */
  waitForServer?: boolean;
}

/** What a bridge did since it started, and how it stands. */
export interface BridgeStats {
  /** Deliveries of RabbitMQ, redeliveries included. */
  received: number;
  receivedBytes: number;
  redelivered: number;
  /** Stored by JetStream, and then acknowledged. */
  published: number;
  /** Acknowledged, since JetStream had them already. */
  duplicates: number;
  /** Times that JetStream took nothing, and we waited. */
  refusals: number;
  /** Connections after the first. */
  reconnects: number;
  connected: boolean;
  /** Received and not settled. */
  waiting: number;
  bound: string[];
  missing: string[];
}

export interface Bridge {
  stats(): BridgeStats;
  /** Takes no more, settles what it holds for up to ten seconds, and ends. */
  stop(): Promise<void>;
}

const PREFETCH = 1_000;
const MAX_BATCH = 500;
const LOOK_EVERY_MS = 30_000;
const DRAIN_MS = 10_000;
const RABBIT_BACKOFF = { firstMs: 200, maxMs: 15_000 };
const NATS_BACKOFF = { firstMs: 200, maxMs: 10_000 };

/**
 * Carries notifications from an OpenStack's RabbitMQ into the intake, unchanged and unread: what is no
 * notification is for ingest to put into quarantine. A delivery is acknowledged when JetStream has stored
 * it, never before; losing either side loses nothing, and JetStream recognises what comes twice. Several
 * bridges share one queue.
 *
 * @throws {NephoError} `amqp_url_invalid`, `rabbitmq_unavailable`, `rabbitmq_refused`
 */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const bridge = new RabbitBridge(options);
  await bridge.start();
  return bridge;
}

class RabbitBridge implements Bridge {
  readonly #options: BridgeOptions;
  readonly #urls: readonly string[];
  readonly #topology: Topology;
  #session: RabbitSession | null = null;
  #pump: DeliveryPump<ConsumeMessage> | null = null;
  #stopping = false;
  #wake: () => void = () => {};
  #life: Promise<void> = Promise.resolve();
  #sessions = 0;
  #counts = {
    received: 0,
    receivedBytes: 0,
    redelivered: 0,
    published: 0,
    duplicates: 0,
    refusals: 0,
  };

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#urls = parseAmqpUrl(options.amqpUrl);
    this.#topology = {
      queue: options.queue ?? DEFAULT_QUEUE,
      queueType: options.queueType ?? 'classic',
      exchanges: options.exchanges ?? DEFAULT_EXCHANGES,
      topics: options.topics ?? DEFAULT_TOPICS,
      priorities: options.priorities ?? DEFAULT_PRIORITIES,
    };
  }

  async start(): Promise<void> {
    if (this.#options.waitForServer !== true) await this.#connectFirst();
    this.#life = this.#live();
  }

  stats(): BridgeStats {
    const bound = [...this.#session?.bound ?? []];
    return {
      ...this.#counts,
      reconnects: Math.max(0, this.#sessions - 1),
      connected: this.#session !== null,
      waiting: this.#pump?.size ?? 0,
      bound,
      missing: this.#topology.exchanges.filter((exchange) => !bound.includes(exchange)),
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    await this.#session?.cancel();
    const drained = await this.#pump?.drain(DRAIN_MS) ?? true;
    const waiting = this.#pump?.size ?? 0;
    this.#pump?.stop();
    await this.#session?.close();
    await this.#life;
    this.#options.log.info('bridge_stopped', { drained, returned: waiting, ...this.#counts });
  }

  /** Each broker once, so that a wrong address is said at once. */
  async #connectFirst(): Promise<void> {
    let failure: unknown = null;
    for (const url of this.#urls) {
      try {
        await this.#connect(url);
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #live(): Promise<void> {
    let failures = 0;
    while (!this.#stopping) {
      try {
        if (this.#session === null) {
          await this.#connect(this.#urls[failures % this.#urls.length] ?? '');
        }
        await this.#untilEnded();
        failures = 1;
      } catch (error) {
        failures += 1;
        this.#options.log.warn('rabbitmq_unreachable', {
          error: errorMessage(error),
          code: isNephoError(error) ? error.code : null,
          failures,
        });
      }
      await this.#pause(backoffMs(failures, { ...RABBIT_BACKOFF, jitter: jitter() }));
    }
  }

  async #connect(url: string): Promise<void> {
    const { caCertificate } = this.#options;
    const session = await RabbitSession.open({
      url,
      ...(caCertificate === undefined ? {} : { caCertificate }),
      connectionName: this.#options.name ?? 'nepho bridge',
      topology: this.#topology,
      prefetch: this.#options.prefetch ?? PREFETCH,
    });
    const pump = new DeliveryPump<ConsumeMessage>({
      publish: (batch) => this.#options.publisher.publishAll(batch.map(publicationOf)),
      acknowledge: (message, allUpTo) => session.acknowledge(message, allUpTo),
      onSettled: ({ status }) => {
        if (status === 'stored') this.#counts.published += 1;
        else this.#counts.duplicates += 1;
      },
      onRefused: (error, consecutive) => this.#refused(error, consecutive),
      maxBatch: MAX_BATCH,
    });
    try {
      if (!this.#stopping) await session.consume((message) => this.#receive(pump, message));
    } catch (error) {
      await session.close();
      throw error;
    }
    [this.#session, this.#pump] = [session, pump];
    this.#sessions += 1;
    this.#options.log.info('rabbitmq_connected', {
      broker: amqpUrlForPeople(url),
      queue: this.#topology.queue,
      bound: [...session.bound],
    });
  }

  async #untilEnded(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    // Stopped while it was being opened, so that nobody else closes it.
    if (this.#stopping) return await session.close();
    const looking = setInterval(
      () => void this.#look(session),
      this.#options.lookEveryMs ?? LOOK_EVERY_MS,
    );
    const reason = await session.ended;
    clearInterval(looking);
    // Then `stop` sees to the rest.
    if (this.#stopping) return;
    this.#pump?.stop();
    this.#pump = null;
    this.#session = null;
    await session.close();
    this.#options.log.warn('rabbitmq_lost', { error: errorMessage(reason) });
  }

  async #look(session: RabbitSession): Promise<void> {
    try {
      const exchanges = await session.bindNew();
      if (exchanges.length > 0) this.#options.log.info('exchanges_bound', { exchanges });
    } catch (error) {
      this.#options.log.warn('exchanges_not_seen', { error: errorMessage(error) });
    }
  }

  #receive(pump: DeliveryPump<ConsumeMessage>, message: ConsumeMessage): void {
    this.#counts.received += 1;
    this.#counts.receivedBytes += message.content.byteLength;
    if (message.fields.redelivered) this.#counts.redelivered += 1;
    pump.push(message);
  }

  #refused(error: NephoError, consecutive: number): number {
    this.#counts.refusals += 1;
    const advised = Number(error.context['retry_after_ms'] ?? 0);
    const waitMs = Math.max(
      advised,
      backoffMs(consecutive, { ...NATS_BACKOFF, jitter: jitter() }),
    );
    this.#options.log.warn('intake_refused', {
      code: error.code,
      error: error.message,
      wait_ms: waitMs,
      consecutive,
    });
    return waitMs;
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function publicationOf(message: ConsumeMessage): Publication {
  return {
    bytes: message.content,
    via: 'rabbitmq',
    exchange: message.fields.exchange,
    routingKey: message.fields.routingKey,
  };
}

function jitter(): number {
  return randomInt(1_000) / 1_000;
}
