/** Runs of the audit, and what they found. */
import type { Pool } from 'pg';
import { sha256 } from '../ledger/sha256.ts';
import type { Queryable } from './client.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';

/** How much an audit looked at, by what it is: `hours`, `windows`, `statements`, `entries`, …. */
export type Checked = Record<string, number>;

export interface AuditRun {
  auditRunId: number;
  /** Null of a run that looked at everything. */
  seed: string | null;
  startedAt: string;
  /** Null of one that goes on, or was ended before its end. */
  endedAt: string | null;
  checked: Checked;
  /** Differences that it met, new or known. */
  findings: number;
}

export interface Finding {
  findingId: number;
  check: string;
  subject: string;
  detail: string;
  foundAt: string;
  lastSeenAt: string;
  explainedAt: string | null;
  explainedBy: string | null;
  explanation: string | null;
}

/** What was found, as `AuditReport` has it. */
export type NewFinding = Pick<Finding, 'check' | 'subject' | 'detail'>;

export async function beginAudit(
  db: Queryable,
  { seed, startedAt }: { seed: string | null; startedAt: string },
): Promise<number> {
  return await withDatabaseErrors('begin an audit', async () => {
    const { rows } = await db.query<{ id: bigint }>(
      'INSERT INTO audit_runs (seed, started_at) VALUES ($1, $2) RETURNING audit_run_id AS id',
      [seed, startedAt],
    );
    return Number(rows[0]?.id);
  });
}

/** Adds what a part of a run looked at and found. A difference that is known is seen again. */
export async function noteAudit(
  db: Queryable,
  auditRunId: number,
  part: { checked: Checked; findings: readonly NewFinding[]; at: string },
): Promise<void> {
  await withDatabaseErrors('note what an audit found', async () => {
    for (const finding of part.findings) await putFinding(db, finding, part.at);
    await db.query(
      `UPDATE audit_runs SET findings = findings + $2, checked = (
         SELECT coalesce(jsonb_object_agg(name, number), '{}') FROM (
           SELECT key AS name, sum(value::int) AS number
           FROM (SELECT * FROM jsonb_each_text(checked) UNION ALL SELECT * FROM jsonb_each_text($3)) t
           GROUP BY key
         ) sums)
       WHERE audit_run_id = $1`,
      [auditRunId, part.findings.length, JSON.stringify(part.checked)],
    );
  });
}

export async function endAudit(db: Queryable, auditRunId: number, endedAt: string): Promise<void> {
  await withDatabaseErrors('end an audit', async () => {
    await db.query(
      'UPDATE audit_runs SET ended_at = $2 WHERE audit_run_id = $1 AND ended_at IS NULL',
      [auditRunId, endedAt],
    );
  });
}

async function putFinding(
  db: Queryable,
  { check, subject, detail }: NewFinding,
  at: string,
): Promise<void> {
  const key = sha256(JSON.stringify([check, subject, detail]));
  await db.query(
    `INSERT INTO audit_findings (key, "check", subject, detail, found_at, last_seen_at)
     VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (key) DO UPDATE SET last_seen_at = greatest(audit_findings.last_seen_at, excluded.last_seen_at)`,
    [key, check, subject, detail, at],
  );
}

export async function readAudit(db: Queryable, auditRunId: number): Promise<AuditRun | null> {
  return await withDatabaseErrors('read an audit', async () => {
    const { rows } = await db.query<RunRow>(
      `SELECT ${RUN} FROM audit_runs WHERE audit_run_id = $1`,
      [auditRunId],
    );
    return rows[0] === undefined ? null : { ...rows[0], auditRunId: Number(rows[0].auditRunId) };
  });
}

const RUN = `audit_run_id AS "auditRunId", seed, started_at AS "startedAt", ended_at AS "endedAt",
  checked, findings`;
const FINDING = `finding_id AS "findingId", "check", subject, detail, found_at AS "foundAt",
  last_seen_at AS "lastSeenAt", explained_at AS "explainedAt", explained_by AS "explainedBy", explanation`;

type RunRow = Omit<AuditRun, 'auditRunId'> & { auditRunId: bigint };
type FindingRow = Omit<Finding, 'findingId'> & { findingId: bigint };

/** The newest first. */
export async function listAudits(
  db: Queryable,
  { limit, cursor }: PageRequest,
): Promise<Page<AuditRun>> {
  checkLimit(limit);
  const after = decodeCursor('audits', cursor, ['number']);
  return await withDatabaseErrors('list audits', async () => {
    const { rows } = await db.query<RunRow>(
      `SELECT ${RUN} FROM audit_runs WHERE $1::bigint IS NULL OR audit_run_id < $1
       ORDER BY audit_run_id DESC LIMIT $2`,
      [after?.[0] ?? null, limit + 1],
    );
    return pageOf(
      rows.map((row) => ({ ...row, auditRunId: Number(row.auditRunId) })),
      limit,
      ({ auditRunId }) => encodeCursor('audits', [auditRunId]),
    );
  });
}

/** The newest first. */
export async function listFindings(
  db: Queryable,
  { isOpen }: { isOpen?: boolean | undefined },
  { limit, cursor }: PageRequest,
): Promise<Page<Finding>> {
  checkLimit(limit);
  const after = decodeCursor('findings', cursor, ['number']);
  return await withDatabaseErrors('list findings', async () => {
    const { rows } = await db.query<FindingRow>(
      `SELECT ${FINDING} FROM audit_findings
       WHERE ($1::bigint IS NULL OR finding_id < $1)
         AND ($2::boolean IS NULL OR (explained_at IS NULL) = $2)
       ORDER BY finding_id DESC LIMIT $3`,
      [after?.[0] ?? null, isOpen ?? null, limit + 1],
    );
    return pageOf(
      rows.map(findingOf),
      limit,
      ({ findingId }) => encodeCursor('findings', [findingId]),
    );
  });
}

/** Null if there is no such finding; one that is explained stays as it was. */
export async function explainFinding(
  db: Queryable,
  findingId: number,
  explained: { at: string; by: string; note: string },
): Promise<Finding | null> {
  return await withDatabaseErrors(`explain finding ${findingId}`, async () => {
    await db.query(
      `UPDATE audit_findings SET explained_at = $2, explained_by = $3, explanation = $4
       WHERE finding_id = $1 AND explained_at IS NULL`,
      [findingId, explained.at, explained.by, explained.note],
    );
    const { rows } = await db.query<FindingRow>(
      `SELECT ${FINDING} FROM audit_findings WHERE finding_id = $1`,
      [findingId],
    );
    return rows[0] === undefined ? null : findingOf(rows[0]);
  });
}

export async function countOpenFindings(pool: Pool): Promise<number> {
  return await withDatabaseErrors('count open findings', async () => {
    const { rows } = await pool.query<{ count: bigint }>(
      'SELECT count(*) AS count FROM audit_findings WHERE explained_at IS NULL',
    );
    return Number(rows[0]?.count);
  });
}

function findingOf(row: FindingRow): Finding {
  return { ...row, findingId: Number(row.findingId) };
}
