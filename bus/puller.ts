import { jetstreamManager } from '@nats-io/jetstream';
import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/nats-core';
import { NephoError } from '../meters/errors.ts';
import { parseDelivery } from './delivery.ts';
import { busError } from './errors.ts';
import { LargeBodies } from './large_bodies.ts';
import { INTAKE_STREAM, intakeConsumer, IntakeHeader } from './subjects.ts';

/** A message of the intake, which is delivered again until it is acknowledged. */
export interface IntakeMessage {
  /** The body as it was received; empty if `fault` says that it is gone. */
  readonly bytes: Uint8Array;
  /** `object_missing` if the body was stored apart and is not there any more. */
  readonly fault: NephoError | null;
  /** What brought it: `rabbitmq`, `send`, `demo`, `http`. */
  readonly via: string | null;
  /** Its number in the stream, from 1. */
  readonly sequence: number;
  /** 1 at the first delivery. */
  readonly deliveryCount: number;
  header(name: string): string | null;
  /** Sent at once, arrives with the next `flush`. */
  ack(): void;
  /** Asks for another delivery, not before `delayMs`. */
  nak(delayMs: number): void;
}

export interface PullOptions {
  maxMessages: number;
  /** How long to wait for that many, in milliseconds; what came until then is returned. */
  maxWaitMs: number;
}

/** Pulls the intake of one shard in bounded batches. */
export interface IntakePuller {
  /**
   * One batch, in the order of the stream but for redeliveries. Empty if nothing came in time. One call
   * at a time.
   *
   * @throws {NephoError} `bus_unavailable`
   */
  pull(options: PullOptions): Promise<IntakeMessage[]>;
  /** Messages of this shard that are not acknowledged, delivered or not. */
  pending(): Promise<number>;
  /** Returns when the server has what was sent, acknowledgements too. */
  flush(): Promise<void>;
  /** Hands back what was pulled and not returned, and ends. The connection stays open. */
  close(): Promise<void>;
}

/** Bytes of a batch, which bounds its samples: a poll message has hundreds. What exceeds it opens the next one. */
const MAX_BATCH_BYTES = 6 * 1024 * 1024;
/** How much longer than the server we wait for its word that the time is up. */
const GRACE_MS = 2_000;
/** Delay of a message whose object could not be read just now. */
const OBJECT_RETRY_MS = 5_000;
const NANOS_PER_MILLI = 1_000_000;

export async function openIntakePuller(nc: NatsConnection, shard: number): Promise<IntakePuller> {
  const puller = new JetStreamPuller(nc, shard);
  // Asked early, so that a missing stream is said here and not met as an empty intake.
  await puller.pending();
  return puller;
}

/**
 * Speaks JetStream's pull protocol itself (ADR-13 of nats-architecture-and-design): the client's `fetch`
 * waits a second at least, and bounds either messages or bytes.
 */
class JetStreamPuller implements IntakePuller {
  readonly #nc: NatsConnection;
  readonly #consumer: string;
  readonly #large: LargeBodies;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  /** Arrived and not yet returned: also what came after its request was given up. */
  #arrived: Msg[] = [];
  #request: PullRequest | null = null;
  #requests = 0;
  /** The last request got no answer. */
  #silent = false;

  constructor(nc: NatsConnection, shard: number) {
    this.#nc = nc;
    this.#consumer = intakeConsumer(shard);
    this.#large = new LargeBodies(nc);
    this.#inbox = createInbox();
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => this.#receive(error, message),
    });
  }

  async pull(options: PullOptions): Promise<IntakeMessage[]> {
    const missing = options.maxMessages - this.#arrived.length;
    if (missing > 0) await this.#ask(missing, options.maxWaitMs);
    const messages: IntakeMessage[] = [];
    let bytes = 0;
    while (messages.length < options.maxMessages && bytes < MAX_BATCH_BYTES) {
      const arrived = this.#arrived.shift();
      if (arrived === undefined) break;
      const message = await this.#open(arrived);
      if (message === null) continue;
      bytes += message.bytes.byteLength;
      messages.push(message);
    }
    return messages;
  }

  async pending(): Promise<number> {
    try {
      const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
      const info = await jsm.consumers.info(INTAKE_STREAM, this.#consumer);
      return info.num_pending + info.num_ack_pending;
    } catch (error) {
      throw busError(error, `look at the consumer '${this.#consumer}'`);
    }
  }

  async flush(): Promise<void> {
    try {
      await this.#nc.flush();
    } catch (error) {
      throw busError(error, 'acknowledge messages of the intake');
    }
  }

  async close(): Promise<void> {
    this.#request?.end();
    this.#subscription.unsubscribe();
    for (const message of this.#arrived.splice(0)) respond(message, nakText(0));
    if (!this.#nc.isClosed()) await this.flush();
  }

  async #ask(messages: number, waitMs: number): Promise<void> {
    await this.#checkConnection(waitMs + GRACE_MS);
    this.#requests += 1;
    const reply = `${this.#inbox}.${this.#requests}`;
    const request = new PullRequest(reply, messages, waitMs + GRACE_MS);
    this.#request = request;
    try {
      this.#nc.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${INTAKE_STREAM}.${this.#consumer}`,
        JSON.stringify({
          batch: messages,
          max_bytes: Math.max(MAX_BATCH_BYTES, 2 * this.#large.maxPayload()),
          expires: waitMs * NANOS_PER_MILLI,
        }),
        { reply },
      );
      this.#silent = await request.ended === 'unanswered';
    } catch (error) {
      throw busError(error, `pull from the consumer '${this.#consumer}'`);
    } finally {
      this.#request = null;
    }
  }

  /**
   * A request that stays without an answer may wait in our own buffer for a lost server; more of them
   * would all be answered at once when it is back.
   */
  async #checkConnection(limitMs: number): Promise<void> {
    const closed = this.#nc.isClosed();
    if (!closed && !this.#silent) return;
    const answer = closed ? 'unanswered' : await answerWithin(this.#nc.flush(), limitMs);
    if (answer === 'unanswered') {
      throw busError(new Error('no answer from the server'), 'pull from the intake');
    }
  }

  #receive(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#request?.end(error);
      return;
    }
    if (message.reply !== undefined && message.reply !== '') {
      this.#arrived.push(message);
      this.#request?.count();
    } else if (message.subject === this.#request?.reply) {
      this.#request.finish(message.headers?.code ?? 0, message.headers?.description ?? '');
    }
  }

  /** The message with its body, or null if the body cannot be read just now. */
  async #open(message: Msg): Promise<IntakeMessage | null> {
    const name = message.headers?.get(IntakeHeader.object) ?? '';
    if (name === '') return intakeMessage(message, message.data, null);
    try {
      const bytes = await this.#large.get(name);
      return bytes === null
        ? intakeMessage(message, new Uint8Array(), objectMissing(name))
        : intakeMessage(message, bytes, null);
    } catch {
      respond(message, nakText(OBJECT_RETRY_MS));
      return null;
    }
  }
}

type Answer = 'answered' | 'unanswered';

async function answerWithin(answer: Promise<void>, limitMs: number): Promise<Answer> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve('unanswered'), limitMs);
  });
  const answered = answer.then((): Answer => 'answered', (): Answer => 'unanswered');
  const first = await Promise.race([answered, limit]);
  clearTimeout(timer);
  return first;
}

/** One request to the server: it ends by count, by the server's word, or by our own clock. */
class PullRequest {
  readonly reply: string;
  readonly ended: Promise<Answer>;
  #missing: number;
  #settle: (error?: Error) => void = () => {};

  constructor(reply: string, messages: number, limitMs: number) {
    this.reply = reply;
    this.#missing = messages;
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve('unanswered'), limitMs);
      this.#settle = (error) => {
        clearTimeout(timer);
        if (error === undefined) resolve('answered');
        else reject(error);
      };
    });
  }

  count(): void {
    this.#missing -= 1;
    if (this.#missing <= 0) this.#settle();
  }

  /** 404 and 408: no more in time; 409: a limit was reached, or the consumer went; 503: nobody there. */
  finish(code: number, description: string): void {
    const over = code === 404 || code === 408 || (code === 409 && /max/i.test(description));
    this.#settle(over ? undefined : new Error(`${code} ${description || 'no responders'}`));
  }

  end(error?: Error): void {
    this.#settle(error);
  }
}

function intakeMessage(message: Msg, bytes: Uint8Array, fault: NephoError | null): IntakeMessage {
  const delivery = parseDelivery(message.reply ?? '');
  const header = (name: string): string | null => message.headers?.get(name) || null;
  return {
    bytes,
    fault,
    via: header(IntakeHeader.via),
    sequence: delivery.sequence,
    deliveryCount: delivery.count,
    header,
    ack: () => respond(message, '+ACK'),
    nak: (delayMs) => respond(message, nakText(delayMs)),
  };
}

/** A closed connection is no fault here: the message will be delivered again. */
function respond(message: Msg, text: string): void {
  try {
    message.respond(text);
  } catch {
    // See above.
  }
}

function nakText(delayMs: number): string {
  return delayMs === 0 ? '-NAK' : `-NAK ${JSON.stringify({ delay: delayMs * NANOS_PER_MILLI })}`;
}

function objectMissing(name: string): NephoError {
  return new NephoError(
    'object_missing',
    `Cannot read a large notification: its object '${name}' is not in the store`,
    { context: { place: IntakeHeader.object, object: name } },
  );
}
