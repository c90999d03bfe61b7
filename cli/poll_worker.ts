/** Wires what polls: the collectors of each cloud, the intake, the database. */
import type { NatsConnection } from '@nats-io/nats-core';
import type { PollDeps } from '../activities/poll_deps.ts';
import { createSourceMemory, type SourceMemory } from '../collectors/polling/source_memory.ts';
import type { Database } from '../db/client.ts';
import type { CloudSet } from './cloud_set.ts';
import { structuredLog } from './ingest_worker.ts';
import { pollPublisher } from './poll_publisher.ts';

/** What a worker remembers of its sources. */
export function sourceMemories(): (cloud: string, source: string) => SourceMemory {
  const memories = new Map<string, SourceMemory>();
  return (cloud, source) => {
    const key = JSON.stringify([cloud, source]);
    let memory = memories.get(key);
    if (memory === undefined) memories.set(key, memory = createSourceMemory());
    return memory;
  };
}

export function pollDeps(
  parts: { db: Database; nats: NatsConnection; clouds: CloudSet },
): PollDeps {
  return {
    pool: parts.db.pool,
    publish: pollPublisher(parts.nats),
    collectors: (cloud) => parts.clouds.of(cloud),
    memory: sourceMemories(),
    nowMs: Date.now,
    log: structuredLog('poller'),
  };
}
