import type { Pool } from 'pg';
import type { IntakePuller } from '../bus/puller.ts';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import type { Signer } from '../ledger/signer.ts';
import type { AppendOutcome } from '../db/prepared_batch.ts';
import type { DefinitionSource } from './definition_source.ts';
import type { SampleSignaturePolicy } from './sample_signatures.ts';
import type { Stage } from './stage_clock.ts';

/** What the signing activity is wired with, by `cli/`. */
export interface IngestDeps {
  pool: Pool;
  openPuller: (shard: number) => Promise<IntakePuller>;
  /** Makes room in the intake by removing what every shard has stored. Called at the end of a leg. */
  trimIntake: () => Promise<void>;
  /** The newest first. */
  signers: readonly Signer[];
  keyChange: KeyChangePolicy;
  sampleSignatures: SampleSignaturePolicy;
  definitions: DefinitionSource;
  /** Where samples are that were moved out of the database; null if nowhere. */
  archives: ArchiveReader | null;
  /** The deployment's name, the first part of each log's origin line. */
  deployment: string;
  /** The cloud that notifications come from, `openstack` unless configured. */
  source: string;
  /** Names this worker for people: host and process. */
  holder: string;
  /** Milliseconds since 1970. */
  nowMs: () => number;
  log: IngestLog;
  metrics: IngestMetrics;
}

/** How a new signing key enters the logs. */
export interface KeyChangePolicy {
  /** How long the previous key goes on signing beside the new one. */
  overlapMs: number;
  /** The verifier key of a new key that is taken although the previous one, lost, cannot endorse it. */
  unendorsedKey: string | null;
}

/** Structured logging: an event's name and its fields, no payloads. */
export interface IngestLog {
  info(event: string, fields: Record<string, unknown>): void;
  warn(event: string, fields: Record<string, unknown>): void;
  error(event: string, fields: Record<string, unknown>): void;
}

/** What is observed of ingest, whoever exposes it. */
export interface IngestMetrics {
  batchStored(shard: number, outcome: AppendOutcome, milliseconds: number): void;
  intakePending(shard: number, messages: number): void;
  stages(shard: number, milliseconds: Readonly<Record<Stage, number>>): void;
  definitionsRefused(refused: boolean): void;
}
