import { JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { busError } from './errors.ts';
import { INTAKE_STREAM, intakeConsumer, intakeSubject } from './subjects.ts';

/** What waits in the intake of a shard. */
export interface IntakeBacklog {
  /** Not delivered yet. */
  pending: number;
  /** Delivered, and not acknowledged. */
  unacknowledged: number;
  /** When the oldest of both was published, in milliseconds since 1970; null if there is none. */
  oldestMs: number | null;
}

/** @throws {NephoError} `bus_unavailable` */
export async function readBacklog(jsm: JetStreamManager, shard: number): Promise<IntakeBacklog> {
  try {
    const info = await jsm.consumers.info(INTAKE_STREAM, intakeConsumer(shard));
    const waits = info.num_pending + info.num_ack_pending > 0;
    return {
      pending: info.num_pending,
      unacknowledged: info.num_ack_pending,
      oldestMs: waits ? await publishedAt(jsm, shard, info.ack_floor.stream_seq + 1) : null,
    };
  } catch (error) {
    throw busError(error, 'read the state of the intake');
  }
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
