/** The nightly audit as activities: a choice by a seed, then one part after the other. */
import { randomBytes } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { unexportedRuns } from '../db/audit_histories.ts';
import { beginAudit, endAudit, noteAudit } from '../db/audits.ts';
import { errorMessage } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import {
  type AuditSeed,
  type AuditSizes,
  chooseHistories,
  chooseHours,
  chooseStatements,
} from './audit_choice.ts';
import { type AuditDeps, auditHourWhole, checkExports } from './audit_everything.ts';
import { AuditReport } from './audit_report.ts';
import { auditStatement } from './audit_statements.ts';
import { exportHistory, type HistoryDeps } from './export_history.ts';
import { ingestFailure } from './failures.ts';
import type { IngestLog } from './ingest_deps.ts';
import { auditHistory } from './replay_history.ts';

/** A run that was begun: what its parts are found by. */
export interface AuditPlan extends AuditSeed {
  audit_run_id: number;
}

export type AuditPart = 'hours' | 'statements' | 'histories';

export interface AuditPartInput {
  plan: AuditPlan;
  part: AuditPart;
  /** Which of those that were chosen. */
  index: number;
}

export interface AuditPartReceipt {
  /** Differences that were met. */
  findings: number;
}

export interface AuditActivities {
  /** Chooses by a new seed, which is kept with the run. `sizes` says how much there was to choose. */
  planAudit(): Promise<AuditPlan>;
  /** Audits one of the chosen, and notes what it found. Safe to repeat: a known difference stays one. */
  auditPart(input: AuditPartInput): Promise<AuditPartReceipt>;
  endAudit(input: { audit_run_id: number }): Promise<void>;
}

export interface AuditActivityDeps extends AuditDeps, HistoryDeps {
  sizes: AuditSizes;
  log: IngestLog;
}

const HEARTBEAT_MS = 10_000;
/** How long after its end a run's history is exported by whoever waits for it. */
const EXPORT_MS = 3_600_000;

export function createAuditActivities(deps: AuditActivityDeps): AuditActivities {
  return {
    planAudit: () => told(() => beating(() => planAudit(deps))),
    auditPart: (input) => told(() => beating(() => auditPart(deps, input))),
    endAudit: ({ audit_run_id }) =>
      told(() => endAudit(deps.pool, audit_run_id, formatMillis(deps.nowMs()))),
  };
}

export async function planAudit(deps: AuditActivityDeps): Promise<AuditPlan> {
  const seed = randomBytes(16).toString('hex');
  const until = formatMillis(deps.nowMs());
  const wanted = { seed, until, sizes: deps.sizes };
  const sizes = {
    hours: (await chooseHours(deps.pool, wanted)).length,
    statements: (await chooseStatements(deps.pool, wanted)).length,
    histories: (await chooseHistories(deps.pool, wanted)).length,
  };
  const audit_run_id = await beginAudit(deps.pool, { seed, startedAt: until });
  await exportForgotten(deps);
  const report = new AuditReport();
  await checkExports(deps, report);
  await note(deps, audit_run_id, report);
  return { audit_run_id, seed, until, sizes };
}

/** Histories whose export failed, as long as Temporal has them. */
async function exportForgotten(deps: AuditActivityDeps): Promise<void> {
  const before = formatMillis(deps.nowMs() - EXPORT_MS);
  for (const { workflowId, runId } of await unexportedRuns(deps.pool, before)) {
    try {
      await exportHistory(deps, { workflow_id: workflowId, run_id: runId });
    } catch (error) {
      deps.log.warn('history_not_exported', { run_id: runId, error: errorMessage(error) });
    }
  }
}

/** Apart from Temporal. */
export async function auditPart(
  deps: AuditActivityDeps,
  { plan, part, index }: AuditPartInput,
): Promise<AuditPartReceipt> {
  const report = new AuditReport();
  if (part === 'hours') {
    const hour = (await chooseHours(deps.pool, plan))[index];
    if (hour !== undefined) await auditHourWhole(deps, hour, report);
  } else if (part === 'statements') {
    const name = (await chooseStatements(deps.pool, plan))[index];
    if (name !== undefined) await auditStatement(deps, name, report);
  } else {
    const runId = (await chooseHistories(deps.pool, plan))[index];
    if (runId !== undefined) await auditHistory(deps, runId, report);
  }
  await note(deps, plan.audit_run_id, report);
  return { findings: report.differences.length };
}

async function note(
  deps: AuditActivityDeps,
  auditRunId: number,
  { checked, differences }: AuditReport,
): Promise<void> {
  const at = formatMillis(deps.nowMs());
  await noteAudit(deps.pool, auditRunId, { checked, findings: differences, at });
  for (const { check, subject } of differences) deps.log.error('audit_finding', { check, subject });
}

async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw ingestFailure(error);
  }
}

async function beating<Result>(work: () => Promise<Result>): Promise<Result> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
