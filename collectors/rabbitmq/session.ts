import { type Channel, type ChannelModel, connect, type ConsumeMessage } from 'amqplib';
import { errorMessage, NephoError } from '../../meters/errors.ts';
import { amqpUrlForPeople } from './amqp_url.ts';
import { amqpCode, bindExchange, ensureQueue, type Topology } from './topology.ts';

export interface SessionOptions {
  /** Of one broker, as amqplib takes it. */
  url: string;
  /** PEM of the authority that signed the broker's certificate. */
  caCertificate?: string;
  /** For RabbitMQ's own lists. */
  connectionName: string;
  topology: Topology;
  /** Deliveries that may wait for their acknowledgement. */
  prefetch: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const ACCESS_REFUSED = 403;

/** One connection to RabbitMQ, from its opening until it is lost or closed. */
export class RabbitSession {
  /** Resolves when the session is over, with what ended it, or null if we did. */
  readonly ended: Promise<Error | null>;
  readonly #options: SessionOptions;
  readonly #model: ChannelModel;
  readonly #channel: Channel;
  readonly #bound = new Set<string>();
  #consumerTag: string | null = null;
  #over = false;
  #end: (error: Error | null) => void = () => {};

  /** @throws {NephoError} `rabbitmq_unavailable` (retryable), `rabbitmq_refused` */
  static async open(options: SessionOptions): Promise<RabbitSession> {
    let model: ChannelModel | null = null;
    try {
      model = await connect(options.url, {
        timeout: CONNECT_TIMEOUT_MS,
        clientProperties: { connection_name: options.connectionName },
        ...(options.caCertificate === undefined ? {} : { ca: [options.caCertificate] }),
      });
      // Heard before anything else, for an unheard error ends the process.
      model.on('error', () => {});
      await ensureQueue(model, options.topology);
      const channel = await model.createChannel();
      const session = new RabbitSession(options, model, channel);
      await session.bindNew();
      return session;
    } catch (error) {
      await model?.close().catch(() => {});
      throw rabbitError(error, options.url);
    }
  }

  private constructor(options: SessionOptions, model: ChannelModel, channel: Channel) {
    this.#options = options;
    this.#model = model;
    this.#channel = channel;
    this.ended = new Promise((resolve) => {
      this.#end = (error) => {
        this.#over = true;
        resolve(error);
      };
    });
    model.on('error', (error) => this.#end(error));
    model.on('close', (error) => this.#end(error ?? new Error('the connection was closed')));
    channel.on('error', (error: Error) => this.#fail(error));
    channel.on('close', () => this.#fail(new Error('the channel was closed')));
  }

  /** The exchanges that our queue is bound to. */
  get bound(): ReadonlySet<string> {
    return this.#bound;
  }

  /** Looks for exchanges that were not there. @returns those that are now bound */
  async bindNew(): Promise<string[]> {
    const found: string[] = [];
    for (const exchange of this.#options.topology.exchanges) {
      if (this.#over) break;
      if (this.#bound.has(exchange)) continue;
      if (await bindExchange(this.#model, this.#options.topology, exchange)) {
        this.#bound.add(exchange);
        found.push(exchange);
      }
    }
    return found;
  }

  /** Begins the deliveries. */
  async consume(onDelivery: (message: ConsumeMessage) => void): Promise<void> {
    try {
      await this.#channel.prefetch(this.#options.prefetch);
      const { consumerTag } = await this.#channel.consume(
        this.#options.topology.queue,
        (message) => {
          if (message === null) this.#fail(new Error('the queue was deleted'));
          else onDelivery(message);
        },
      );
      this.#consumerTag = consumerTag;
    } catch (error) {
      throw rabbitError(error, this.#options.url);
    }
  }

  acknowledge(message: ConsumeMessage, allUpTo: boolean): void {
    if (this.#over) return;
    try {
      this.#channel.ack(message, allUpTo);
    } catch (error) {
      // The channel is gone, and the broker delivers again what it holds unacknowledged.
      this.#fail(error instanceof Error ? error : new Error(errorMessage(error)));
    }
  }

  /** Asks for no more deliveries; those that came can still be acknowledged. */
  async cancel(): Promise<void> {
    if (this.#over || this.#consumerTag === null) return;
    await this.#channel.cancel(this.#consumerTag).catch(() => {});
  }

  /** What is not acknowledged goes back to the queue. */
  async close(): Promise<void> {
    if (!this.#over) {
      this.#end(null);
      await this.#channel.close().catch(() => {});
    }
    await this.#model.close().catch(() => {});
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#end(error);
    void this.#model.close().catch(() => {});
  }
}

function rabbitError(error: unknown, url: string): NephoError {
  const address = amqpUrlForPeople(url);
  const message = errorMessage(error);
  if (amqpCode(error) === ACCESS_REFUSED || /ACCESS[_-]REFUSED|NOT_ALLOWED/.test(message)) {
    return new NephoError(
      'rabbitmq_refused',
      `Cannot use RabbitMQ at '${address}': it refused us (${message}); check user, password, vhost and rights`,
      { cause: error },
    );
  }
  return new NephoError(
    'rabbitmq_unavailable',
    `Cannot reach RabbitMQ at '${address}': ${message || 'no answer'}; is it running there?`,
    { cause: error, retryable: true },
  );
}
