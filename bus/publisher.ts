import { createHash } from 'node:crypto';
import { jetstream, type JetStreamClient, type PubAck } from '@nats-io/jetstream';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core';
import type { NephoError } from '../meters/errors.ts';
import { intakeKey, shardOf, shardOfBytes } from '../meters/intake_key.ts';
import { decodeNotification } from '../meters/notification.ts';
import { isPollMessage, pollKey } from '../meters/poll_message.ts';
import { readPollHead } from '../meters/poll_message_reader.ts';
import { busError } from './errors.ts';
import { LargeBodies } from './large_bodies.ts';
import { IntakeHeader, intakeSubject } from './subjects.ts';

/** A notification, or what was sent as one, exactly as it was received. */
export interface Publication {
  bytes: Uint8Array;
  /** What brought it, as in {@link IntakeHeader}. */
  via: 'rabbitmq' | 'send' | 'demo' | 'http' | 'poll' | 'retry';
  exchange?: string;
  routingKey?: string;
  /** What it is sharded by, if it is known without opening the body. */
  key?: string;
  /** Store it even if the stream has just seen the same bytes, as a retry from the quarantine wants. */
  again?: boolean;
}

export type PublishOutcome =
  /** `duplicate`: the stream has it already; `sequence` is that of the first. */
  | { status: 'stored' | 'duplicate'; shard: number; sequence: number }
  /** Not known to be stored. Offering it again is safe. */
  | { status: 'refused'; error: NephoError };

export interface PublisherOptions {
  /** As the intake has: see `intakeShards`. */
  shards: number;
  /** Messages that wait for their acknowledgement at the same time. */
  maxInFlight?: number;
  ackTimeoutMs?: number;
}

const MAX_IN_FLIGHT = 256;
const ACK_TIMEOUT_MS = 10_000;
const MESSAGE_ID_BYTES = 16;

/** Puts notifications into the intake: each is stored when its outcome says so. */
export class IntakePublisher {
  readonly #js: JetStreamClient;
  readonly #large: LargeBodies;
  readonly #shards: number;
  readonly #maxInFlight: number;
  readonly #ackTimeoutMs: number;

  constructor(nc: NatsConnection, options: PublisherOptions) {
    this.#js = jetstream(nc);
    this.#large = new LargeBodies(nc);
    this.#shards = options.shards;
    this.#maxInFlight = options.maxInFlight ?? MAX_IN_FLIGHT;
    this.#ackTimeoutMs = options.ackTimeoutMs ?? ACK_TIMEOUT_MS;
  }

  /**
   * Publishes many, `maxInFlight` at a time, and answers for each, in their order. After a refusal those
   * that were not yet sent are refused too: what hindered one hinders the next.
   */
  async publishAll(publications: readonly Publication[]): Promise<PublishOutcome[]> {
    const outcomes: PublishOutcome[] = [];
    let next = 0;
    let refusal: PublishOutcome | null = null;
    const lane = async (): Promise<void> => {
      while (next < publications.length) {
        const index = next;
        next += 1;
        const publication = publications[index];
        if (publication === undefined) return;
        const outcome: PublishOutcome = refusal ?? await this.#attempt(publication);
        if (outcome.status === 'refused') refusal = outcome;
        outcomes[index] = outcome;
      }
    };
    const lanes = Math.min(this.#maxInFlight, publications.length);
    await Promise.all(Array.from({ length: lanes }, lane));
    return outcomes;
  }

  /**
   * Publishes one.
   *
   * @throws {NephoError} `intake_full` (with `retry_after_ms`), `bus_unavailable`, `bus_refused`
   */
  async publish(publication: Publication): Promise<Exclude<PublishOutcome, { status: 'refused' }>> {
    const outcome = await this.#attempt(publication);
    if (outcome.status === 'refused') throw outcome.error;
    return outcome;
  }

  async #attempt(publication: Publication): Promise<PublishOutcome> {
    const shard = publication.key === undefined
      ? shardOfBody(publication.bytes, this.#shards)
      : shardOf(publication.key, this.#shards);
    try {
      const ack = this.#large.isLarge(publication.bytes)
        ? await this.#publishLarge(publication, shard)
        : await this.#send(shard, publication.bytes, {
          publication,
          headers: headersOf(publication),
        });
      return { status: ack.duplicate ? 'duplicate' : 'stored', shard, sequence: ack.seq };
    } catch (error) {
      return { status: 'refused', error: busError(error, 'publish a notification') };
    }
  }

  /** A claim check: the body as an object first, then an empty message that names it. */
  async #publishLarge(publication: Publication, shard: number): Promise<PubAck> {
    const name = await this.#large.put(publication.bytes);
    const messageHeaders = headersOf(publication);
    messageHeaders.set(IntakeHeader.object, name);
    const ack = await this.#send(shard, new Uint8Array(), {
      publication,
      headers: messageHeaders,
    });
    // After a failure the object stays, for the message may have been stored though its acknowledgement
    // was lost; what no message names is removed with the messages of its age.
    if (ack.duplicate) await this.#large.remove(name);
    return ack;
  }

  #send(
    shard: number,
    body: Uint8Array,
    options: { publication: Publication; headers: MsgHdrs },
  ): Promise<PubAck> {
    const { publication } = options;
    return this.#js.publish(intakeSubject(shard), body, {
      headers: options.headers,
      timeout: this.#ackTimeoutMs,
      ...(publication.again ? {} : { msgID: messageId(publication.bytes) }),
    });
  }
}

/** The shard of a body: by whom it is about, or by its bytes if it is no notification. */
export function shardOfBody(bytes: Uint8Array, shards: number): number {
  if (shards === 1) return 0;
  try {
    if (isPollMessage(bytes)) return shardOf(pollKey(readPollHead(bytes)), shards);
    return shardOf(intakeKey(decodeNotification(bytes)), shards);
  } catch {
    return shardOfBytes(bytes, shards);
  }
}

/**
 * What the stream recognises a repetition by: the bytes themselves. Not the notification's id, for then
 * the stream would swallow another content under the same id, which ingest must see and report.
 */
function messageId(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest().subarray(0, MESSAGE_ID_BYTES).toString('hex');
}

function headersOf(publication: Publication): MsgHdrs {
  const map = headers();
  map.set(IntakeHeader.via, publication.via);
  if (publication.exchange !== undefined) {
    map.set(IntakeHeader.exchange, printable(publication.exchange));
  }
  if (publication.routingKey !== undefined) {
    map.set(IntakeHeader.routingKey, printable(publication.routingKey));
  }
  return map;
}

/** Headers are lines of text: what would break a line, or is not ASCII, is percent-encoded. */
function printable(text: string): string {
  return text.replace(
    /[^\x20-\x7e]/gu,
    (character) => encodeURIComponent(character.toWellFormed()),
  );
}
