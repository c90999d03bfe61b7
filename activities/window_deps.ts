import type { Pool } from 'pg';
import type { Signer } from '../ledger/signer.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import type { IngestLog } from './ingest_deps.ts';

/** What sealing and revising windows is wired with, by `cli/`. */
export interface WindowDeps {
  pool: Pool;
  /** The newest first. */
  signers: readonly Signer[];
  /** How samples become usage, as it is configured now. */
  rules: () => Promise<UsageRules>;
  /** Version of the program, as seals name it: `nepho/0.1.0+0123456789ab`. */
  code: string;
  /** Shards of the intake. */
  shards: number;
  /** What of a shard's intake is not in its log yet. @throws {NephoError} of the bus */
  backlog: (shard: number) => Promise<IntakeBacklog>;
  watermark: WatermarkPolicy;
  /** Milliseconds since 1970. */
  nowMs: () => number;
  log: IngestLog;
}

export interface IntakeBacklog {
  /** Messages that are not acknowledged, delivered or not. */
  messages: number;
  /** Milliseconds since 1970: when the oldest of them was published. Null if there is none, or it is unknown. */
  oldestMs: number | null;
}

/** When an hour may be sealed. */
export interface WatermarkPolicy {
  /** How long after its end, so that what is under way may come. */
  graceMs: number;
  /** How much longer for polls of which nobody knows yet whether they are missing. */
  maxWaitMs: number;
  /** Between two looks. */
  everySeconds: number;
}
