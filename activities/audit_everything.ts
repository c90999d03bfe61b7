import { exportedRuns, unexportedRuns } from '../db/audit_histories.ts';
import { hoursWithWindows, readSeal, type SealedHour, sealedHours } from '../db/audit_rows.ts';
import { statementNames } from '../db/audit_statements.ts';
import { readHistory } from '../db/histories.ts';
import { listLogs } from '../db/logs.ts';
import { type RollupSpan, spansAround } from '../db/rollups.ts';
import { formatMicros, formatMillis, toMicros } from '../meters/timestamp.ts';
import { type ArchiveAuditDeps, auditArchives } from './audit_archives.ts';
import { auditLog } from './audit_log.ts';
import type { AuditReport } from './audit_report.ts';
import { auditRollup } from './audit_rollups.ts';
import { auditStatement } from './audit_statements.ts';
import { auditTables } from './audit_tables.ts';
import { auditHour } from './audit_windows.ts';
import { auditHistory, type ReplayDeps } from './replay_history.ts';

export interface AuditDeps extends ReplayDeps, ArchiveAuditDeps {
  archives: ArchiveAuditDeps['archives'];
  /** Milliseconds since 1970. */
  nowMs: () => number;
}

const FOR_EVER = '9999-12-31T23:59:59.999999Z';
/** A history is exported minutes after its run ended; one that is missing for longer was lost. */
const EXPORT_MICROS = 24n * 3_600_000_000n;

/** One hour with all that was made of it: its windows, the day and month, and the history of its run. */
export async function auditHourWhole(
  deps: AuditDeps,
  hour: SealedHour,
  report: AuditReport,
): Promise<void> {
  await auditHour(deps, hour, report);
  for (const span of spansAround(hour.start)) {
    await auditRollup(deps.pool, { logId: hour.logId, span }, report);
  }
  await auditSealingRun(deps, hour, report);
}

/** The history of the run that sealed an hour. */
async function auditSealingRun(
  deps: AuditDeps,
  hour: SealedHour,
  report: AuditReport,
): Promise<void> {
  const seal = await readSeal(deps.pool, hour.logId, hour.start);
  if (seal === null) return;
  if (await readHistory(deps.pool, seal.runId) !== null) {
    await auditHistory(deps, seal.runId, report);
    return;
  }
  if (seal.sealedAt > exportDue(deps)) return;
  report.find(
    'history_missing',
    `workflow_histories: run ${seal.runId}`,
    `the history of '${seal.workflowId}' was not exported`,
  );
}

/** Everything that is there, row by row. Reads the whole database, some of it several times. */
export async function auditEverything(deps: AuditDeps, report: AuditReport): Promise<void> {
  for (const { logId } of await listLogs(deps.pool)) await auditLog(deps, logId, report);
  await auditTables(deps.pool, report);
  await auditArchives(deps, report);
  const hours = await hoursToAudit(deps);
  for (const hour of hours) await auditHour(deps, hour, report);
  for (const { logId, span } of rollupsOf(hours)) {
    await auditRollup(deps.pool, { logId, span }, report);
  }
  for (const name of await statementNames(deps.pool, FOR_EVER)) {
    await auditStatement(deps, name, report);
  }
  for (const runId of await exportedRuns(deps.pool, FOR_EVER)) {
    await auditHistory(deps, runId, report);
  }
  await report.step(
    'histories of all runs',
    'workflow_histories',
    () => checkExports(deps, report),
  );
}

/** The runs whose histories should have been exported by now. */
export async function checkExports(
  deps: Pick<AuditDeps, 'pool' | 'nowMs'>,
  report: AuditReport,
): Promise<string> {
  for (const { workflowId, runId } of await unexportedRuns(deps.pool, exportDue(deps))) {
    report.find(
      'history_missing',
      `workflow_histories: run ${runId}`,
      `the history of '${workflowId}' was not exported`,
    );
  }
  return 'the runs that wrote to logs more than a day ago have theirs';
}

/** What was written before has its history by now. */
function exportDue(deps: Pick<AuditDeps, 'nowMs'>): string {
  return formatMicros(toMicros(formatMillis(deps.nowMs())) - EXPORT_MICROS);
}

/** Those that were sealed, and those before them that have windows by revisions alone. */
async function hoursToAudit(deps: AuditDeps): Promise<SealedHour[]> {
  const sealed = await sealedHours(deps.pool, FOR_EVER);
  const known = new Set(sealed.map(({ logId, start }) => `${logId} ${start}`));
  const others = await hoursWithWindows(deps.pool);
  return [...sealed, ...others.filter(({ logId, start }) => !known.has(`${logId} ${start}`))];
}

function rollupsOf(hours: readonly SealedHour[]): { logId: number; span: RollupSpan }[] {
  const spans = new Map<string, { logId: number; span: RollupSpan }>();
  for (const { logId, start } of hours) {
    for (const span of spansAround(start)) {
      spans.set(`${logId} ${span.span} ${span.start}`, { logId, span });
    }
  }
  return [...spans.values()];
}
