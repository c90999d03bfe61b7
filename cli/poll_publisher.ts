import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { PollAccountDeps } from '../activities/poll_deps.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { intakeShards } from '../bus/streams.ts';
import { isNephoError } from '../meters/errors.ts';

/** How often a message is offered to an intake that does not take it, and the pause between. */
const ATTEMPTS = 6;
const PAUSE_MS = 1_000;

/**
 * Puts poll messages into the intake, and waits a little for one that is away, full, or not made yet: a
 * poller may be there before the worker that makes it.
 */
export function pollPublisher(nats: NatsConnection): PollAccountDeps['publish'] {
  let publisher: IntakePublisher | null = null;
  return async (bytes, key) => {
    for (let attempt = 1;; attempt += 1) {
      try {
        publisher ??= await openPublisher(nats);
        await publisher.publish({ bytes, key, via: 'poll' });
        return;
      } catch (error) {
        if (attempt === ATTEMPTS || !isNephoError(error) || !error.retryable) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  };
}

async function openPublisher(nats: NatsConnection): Promise<IntakePublisher> {
  return new IntakePublisher(nats, { shards: await intakeShards(await jetstreamManager(nats)) });
}
