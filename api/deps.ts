import type { ScheduleClient, WorkflowClient } from '@temporalio/client';
import type { Registry } from 'prom-client';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import type { Database } from '../db/client.ts';
import type { NephoError } from '../meters/errors.ts';
import type { UsageRules } from '../meters/usage_rules.ts';

/** What the API is wired to by cli/. Every part that may be away has its own sentence in errors.ts. */
export interface ApiDeps {
  readonly db: Database;
  /** The deployment's name, the first part of each log's origin line. */
  readonly deployment: string;
  /** Shards of the intake, hence logs and ingest actors. */
  readonly shards: number;
  /** Where samples are that were moved out of the database; null if nowhere. */
  readonly archives: ArchiveReader | null;
  /** How samples become usage in hours that are not sealed. */
  readonly usageRules: UsageRules;
  /** Null where there is no intake, as in an API that only reads. */
  readonly intake: Intake | null;
  /** Null where there is no Temporal, as in an API that only reads. */
  readonly workflows: WorkflowClient | null;
  /** Null likewise. */
  readonly schedules: ScheduleClient | null;
  /** Metrics of this process; those of the database are added at each scrape. */
  readonly registry: Registry;
  /** Metrics of the workers as Prometheus text; null where they cannot be asked. */
  readonly workerMetrics: (() => Promise<string>) | null;
  readonly log: ApiLog;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The way into JetStream: `IntakePublisher` of bus/, and what waits behind it. */
export interface Intake {
  /** Publishes each message as it is. Answers for each, in their order. */
  publishAll(messages: readonly IntakeMessage[]): Promise<IntakeOutcome[]>;
  /** What waits, by shard. @throws {NephoError} `bus_unavailable` */
  backlog(): Promise<ShardBacklog[]>;
}

export interface IntakeMessage {
  /** The original bytes, understood or not. */
  bytes: Uint8Array;
  via: 'send' | 'retry';
  /** Passes by the stream's window of duplicates: a message of the quarantine was published before. */
  again?: boolean;
}

export type IntakeOutcome =
  | { status: 'stored' | 'duplicate'; shard: number; sequence: number }
  /** Not known to be stored; `intake_full` or `bus_unavailable`. Sending it again is safe. */
  | { status: 'refused'; error: NephoError };

export interface ShardBacklog {
  shard: number;
  /** Messages in the stream that were not yet given to a worker. */
  pending: number;
  /** Messages given to a worker and not yet acknowledged. */
  unacknowledged: number;
  /** Seconds since the oldest message that waits was published, null if none waits. */
  oldest_age_seconds: number | null;
}

/** One structured line: the event's name first, ids as fields, never payloads or secrets. */
export interface ApiLog {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
  error(event: string, fields: Record<string, unknown>): void;
}
