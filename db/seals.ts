/** The rows beside the entries that seal hours and revise them, and the rules that they are computed by. */
import type { PoolClient } from 'pg';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { encodeEntry } from '../ledger/entry.ts';
import { positionOf } from '../ledger/position.ts';
import { digestOfUsageRules } from '../ledger/usage_rules_entry.ts';
import type { JsonObject } from '../meters/json.ts';
import type { UsageRulesDocument } from '../meters/usage_rules.ts';
import type { LogRecord } from './extend_log.ts';
import type { LockedLog } from './log_guest.ts';

/** The run of a workflow that writes. */
export interface SealingRun {
  workflowId: string;
  runId: string;
}

export interface NewSeal extends SealingRun {
  logId: number;
  start: string;
  position: number;
  rows: number;
  root: Uint8Array;
  coversTo: number;
  /** Canonical JSON. */
  coverage: string;
  sealedAt: string;
}

export async function insertSeal(tx: PoolClient, seal: NewSeal): Promise<void> {
  await tx.query(
    `INSERT INTO seals (log_id, start, position, rows, root, covers_to, coverage, sealed_at,
       workflow_id, run_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      seal.logId,
      seal.start,
      seal.position,
      seal.rows,
      seal.root,
      seal.coversTo,
      seal.coverage,
      seal.sealedAt,
      seal.workflowId,
      seal.runId,
    ],
  );
}

export interface NewRevision extends SealingRun {
  position: number;
  logId: number;
  changes: number;
  coversFrom: number;
  coversTo: number;
  revisedAt: string;
}

export async function insertRevision(tx: PoolClient, revision: NewRevision): Promise<void> {
  await tx.query(
    `INSERT INTO revisions (position, log_id, changes, covers_from, covers_to, revised_at,
       workflow_id, run_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      revision.position,
      revision.logId,
      revision.changes,
      revision.coversFrom,
      revision.coversTo,
      revision.revisedAt,
      revision.workflowId,
      revision.runId,
    ],
  );
}

/** Usage rules in the form that is logged and hashed. */
export interface NamedRules {
  /** 64 hexadecimal digits. */
  digest: string;
  document: JsonObject;
}

export function nameRules(rules: UsageRulesDocument): NamedRules {
  const document = JSON.parse(JSON.stringify(rules)) as JsonObject;
  return { digest: digestOfUsageRules(document), document };
}

/**
 * The `usage_rules` entry that must come before the first entry of a log that names these rules; none if
 * the log has it.
 */
export async function rulesRecords(
  tx: PoolClient,
  { logId }: LockedLog,
  rules: NamedRules,
  recordedAt: string,
): Promise<LogRecord[]> {
  const known = await tx.query(
    `SELECT 1 FROM records WHERE kind = 'usage_rules' AND position >= $1 AND position < $2
       AND entry::json ->> 'digest' = $3 LIMIT 1`,
    [positionOf(logId, 0), positionOf(logId + 1, 0), rules.digest],
  );
  if (known.rowCount !== 0) return [];
  await tx.query(
    `INSERT INTO usage_rule_sets (digest, rules, first_seen) VALUES (decode($1, 'hex'), $2, $3)
     ON CONFLICT (digest) DO NOTHING`,
    [rules.digest, canonicalJson(rules.document), recordedAt],
  );
  const entry = encodeEntry({
    kind: 'usage_rules',
    v: 1,
    digest: rules.digest,
    rules: rules.document,
    recorded_at: recordedAt,
  });
  return [{ kind: 'usage_rules', entry }];
}
