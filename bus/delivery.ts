import { NephoError } from '../meters/errors.ts';

/** What the reply subject of a JetStream message says of its delivery. */
export interface Delivery {
  /** The message's number in the stream, from 1. */
  sequence: number;
  /** 1 at the first delivery. */
  count: number;
}

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<count>.<sequence>.<consumer sequence>.<time>.<pending>`, or the
 * longer form `$JS.ACK.<domain>.<account>.<stream>.…[.<random>]` (ADR-15 of
 * nats-architecture-and-design).
 *
 * @throws {NephoError} `bus_message_invalid` if it is no such subject
 */
export function parseDelivery(reply: string): Delivery {
  const tokens = reply.split('.');
  const first = tokens.length === 9 ? 4 : 6;
  const [count, sequence] = [Number(tokens[first]), Number(tokens[first + 1])];
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || !(count >= 1) || !(sequence >= 1)) {
    throw new NephoError('bus_message_invalid', `Cannot read a delivery from '${reply}'`);
  }
  return { sequence, count };
}
