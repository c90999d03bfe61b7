/** The intake as the API needs it: publishing, and what waits. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Intake, ShardBacklog } from '../api/deps.ts';
import { readBacklog } from '../bus/backlog.ts';
import { busError } from '../bus/errors.ts';
import { IntakePublisher } from '../bus/publisher.ts';

/** @param options `nowMs`: milliseconds since 1970 */
export function createApiIntake(
  nc: NatsConnection,
  options: { shards: number; nowMs: () => number },
): Intake {
  const publisher = new IntakePublisher(nc, { shards: options.shards });
  const backlogOf = async (shard: number): Promise<ShardBacklog> => {
    try {
      const jsm = await jetstreamManager(nc, { checkAPI: false });
      const { pending, unacknowledged, oldestMs } = await readBacklog(jsm, shard);
      const age = oldestMs === null ? null : Math.max(0, (options.nowMs() - oldestMs) / 1_000);
      return { shard, pending, unacknowledged, oldest_age_seconds: age };
    } catch (error) {
      throw busError(error, 'read the state of the intake');
    }
  };
  return {
    publishAll: (messages) => publisher.publishAll(messages),
    backlog: () => Promise.all(Array.from({ length: options.shards }, (_, n) => backlogOf(n))),
  };
}
