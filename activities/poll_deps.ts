import type { Pool } from 'pg';
import type { CollectorRegistry } from '../collectors/polling/registry.ts';
import type { SourceMemory } from '../collectors/polling/source_memory.ts';
import type { IngestLog } from './ingest_deps.ts';

/** The collectors that poll one cloud, as this worker is configured. */
export interface CloudCollectors {
  registry: CollectorRegistry;
  /** Requests that they have made so far. */
  requests(): number;
}

/** What Temporal says of a Schedule. */
export interface ScheduleState {
  paused: boolean;
  skippedOverlap: number;
}

/** What is needed to account for cycles that nobody has polled. */
export interface PollAccountDeps {
  pool: Pool;
  /** Resolves when the intake has stored the message. @throws {NephoError} of the bus */
  publish(message: Uint8Array, key: string): Promise<void>;
  /** Null if there is no such Schedule. */
  scheduleState(id: string): Promise<ScheduleState | null>;
  nowMs(): number;
}

/** What is needed to poll; none of it is in a Temporal payload. */
export interface PollDeps extends Pick<PollAccountDeps, 'pool' | 'publish' | 'nowMs'> {
  /** @throws {NephoError} `cloud_unknown`, and what is wrong with its settings or secrets */
  collectors(cloud: string): Promise<CloudCollectors>;
  /** What this worker remembers of a source. */
  memory(cloud: string, source: string): SourceMemory;
  log: IngestLog;
}
