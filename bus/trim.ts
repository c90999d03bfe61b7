import type { JetStreamManager } from '@nats-io/jetstream';
import { busError } from './errors.ts';
import { LargeBodies } from './large_bodies.ts';
import { INTAKE_STREAM } from './subjects.ts';
import type { NatsConnection } from '@nats-io/nats-core';

export interface TrimReport {
  /** Messages that were removed, all of them acknowledged. */
  messages: number;
  objects: number;
  /** Bytes that the stream takes now. */
  bytes: number;
}

/**
 * Makes room in the intake: while it takes more than `keepBytes`, the oldest messages go which every
 * shard has acknowledged. What is not acknowledged stays, however full the intake is. Then the large
 * bodies go that no message can name any more.
 *
 * @throws {NephoError} `bus_unavailable`
 */
export async function trimIntake(
  nc: NatsConnection,
  jsm: JetStreamManager,
  options: { keepBytes: number },
): Promise<TrimReport> {
  try {
    const { state } = await jsm.streams.info(INTAKE_STREAM);
    let messages = 0;
    if (state.bytes > options.keepBytes) {
      // The state is asked before the shards are, so what arrives in between is beyond the limit.
      // Messages are taken to be of one size; the next trim corrects what this one misses.
      const surplus = Math.ceil(state.messages * (1 - options.keepBytes / state.bytes));
      const limit = Math.min(state.first_seq + surplus, await firstUnsettled(jsm));
      if (limit > state.first_seq) {
        messages = (await jsm.streams.purge(INTAKE_STREAM, { seq: limit })).purged;
      }
    }
    const after = (await jsm.streams.info(INTAKE_STREAM)).state;
    const oldest = after.messages === 0 ? after.last_ts : after.first_ts;
    const objects = await new LargeBodies(nc).removeOlderThan(Date.parse(oldest));
    return { messages, objects, bytes: after.bytes };
  } catch (error) {
    throw busError(error, `trim the stream ${INTAKE_STREAM}`);
  }
}

/**
 * The first message that some shard has not acknowledged, or may not have. Of a shard with nothing to do
 * the floor says nothing: it stands at the last message of that shard, however long ago.
 */
async function firstUnsettled(jsm: JetStreamManager): Promise<number> {
  let first = Number.MAX_SAFE_INTEGER;
  for await (const consumer of jsm.consumers.list(INTAKE_STREAM)) {
    if (consumer.num_pending + consumer.num_ack_pending === 0) continue;
    first = Math.min(first, consumer.ack_floor.stream_seq + 1);
  }
  return first;
}
