/** The intake as the API needs it: publishing, and what waits. */
import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Intake, ShardBacklog } from '../api/deps.ts';
import { busError } from '../bus/errors.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { INTAKE_STREAM, intakeConsumer, intakeSubject } from '../bus/subjects.ts';

/** @param options `nowMs`: milliseconds since 1970 */
export function createApiIntake(
  nc: NatsConnection,
  options: { shards: number; nowMs: () => number },
): Intake {
  const publisher = new IntakePublisher(nc, { shards: options.shards });
  return {
    publishAll: (messages) => publisher.publishAll(messages),
    async backlog() {
      try {
        const jsm = await jetstreamManager(nc, { checkAPI: false });
        const shards = Array.from({ length: options.shards }, (_, shard) => shard);
        return await Promise.all(shards.map((shard) => backlogOf(jsm, shard, options.nowMs())));
      } catch (error) {
        throw busError(error, 'read the state of the intake');
      }
    },
  };
}

async function backlogOf(
  jsm: JetStreamManager,
  shard: number,
  nowMs: number,
): Promise<ShardBacklog> {
  const info = await jsm.consumers.info(INTAKE_STREAM, intakeConsumer(shard));
  const waits = info.num_pending + info.num_ack_pending > 0;
  const oldest = waits ? await publishedAt(jsm, shard, info.ack_floor.stream_seq + 1) : null;
  return {
    shard,
    pending: info.num_pending,
    unacknowledged: info.num_ack_pending,
    oldest_age_seconds: oldest === null ? null : Math.max(0, (nowMs - oldest) / 1_000),
  };
}

/** When the shard's first message from `sequence` on was published; null if it is gone meanwhile. */
async function publishedAt(
  jsm: JetStreamManager,
  shard: number,
  sequence: number,
): Promise<number | null> {
  const query = { next_by_subj: intakeSubject(shard), seq: sequence };
  try {
    const message = await jsm.streams.getMessage(INTAKE_STREAM, query);
    return message === null ? null : message.time.getTime();
  } catch (error) {
    if (error instanceof JetStreamApiError) return null;
    throw error;
  }
}
