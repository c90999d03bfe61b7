import type { Pool } from 'pg';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import type { Signer } from '../ledger/signer.ts';
import type { BillingConfig } from '../meters/billing_config.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import type { IngestLog } from './ingest_deps.ts';

/** What billing is wired with, by `cli/`. */
export interface BillingDeps {
  pool: Pool;
  /** Shards of the intake, hence logs. */
  shards: number;
  /** The newest first. */
  signers: readonly Signer[];
  /** How samples become usage. */
  rules: () => Promise<UsageRules>;
  /** What billing.yaml says now. */
  billing: () => Promise<BillingConfig>;
  /** Milliseconds since 1970. */
  nowMs: () => number;
  log: IngestLog;
}

/** What telling endpoints of statements needs beside. None of it is in a Temporal payload. */
export interface WebhookDeps extends Pick<BillingDeps, 'pool' | 'billing' | 'nowMs' | 'log'> {
  readSecret: ReadSecret;
  /** The text of a file with certificates. @throws {NephoError} `ca_file_unreadable` */
  readAuthorities: (file: string) => Promise<string>;
}
