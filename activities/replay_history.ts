/** An exported history: its bytes, its entry, what its run wrote, and that today's workflows replay it. */
import { readHistory, readHistoryBytes } from '../db/histories.ts';
import { writtenByRun } from '../db/audit_histories.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { sha256 } from '../ledger/sha256.ts';
import { errorMessage } from '../meters/errors.ts';
import type { JsonObject } from '../meters/json.ts';
import { provenEntryOf } from './audit_entry.ts';
import type { LogAuditDeps } from './audit_log.ts';
import { type AuditReport, compareFields } from './audit_report.ts';
import { readClosedHistory } from './export_history.ts';
import { resultsOf } from './history_results.ts';
import { unpackHistory } from './packed_history.ts';

export interface ReplayDeps extends LogAuditDeps {
  /** Replays a history with today's workflows. @throws what the replay throws: the history is another */
  replay(history: unknown, workflowId: string): Promise<void>;
}

/** Audits the history of one run, step by step. */
export async function auditHistory(
  deps: ReplayDeps,
  runId: string,
  report: AuditReport,
): Promise<void> {
  const stored = await readHistory(deps.pool, runId);
  const subject = `workflow_histories: run ${runId}`;
  if (stored === null) {
    report.find('history_missing', subject, 'it was not exported');
    return;
  }
  const label = `history of '${stored.workflowId}'`;
  let text: string | null = null;
  await report.step(`${label}: bytes and entry`, subject, async () => {
    const bytes = await readHistoryBytes(deps.pool, runId) ?? new Uint8Array();
    const unpacked = unpackHistory(bytes);
    const entry = await provenEntryOf(deps, stored.position, 'history');
    const history = readClosedHistory(unpacked);
    compareFields(report, { check: 'history_wrong', subject }, {
      digest: [encodeHex(stored.digest), entry.digest],
      compressed: [encodeHex(sha256(unpacked)), entry.digest],
      run_id: [runId, entry.run_id],
      workflow_id: [stored.workflowId, entry.workflow_id],
      workflow_type: [stored.workflowType, entry.workflow_type],
      events: [stored.events, entry.events],
      exported_at: [stored.exportedAt, entry.recorded_at],
      'events in it': [history.events, entry.events],
    });
    if (history.text !== unpacked) report.find('history_wrong', subject, 'it is not canonical');
    text = unpacked;
    return `${entry.events} events have the digest that entry ${stored.position % 2 ** 40} names`;
  });
  if (text === null) return;
  const history = JSON.parse(text) as JsonObject;
  await report.step(`${label}: replay`, subject, async () => {
    try {
      await deps.replay(history, stored.workflowId);
    } catch (error) {
      report.find(
        'replay_differs',
        subject,
        `today's workflows do not replay it: ${errorMessage(error)}`,
      );
    }
    return "today's workflows decide on it as it was decided then";
  });
  await report.step(`${label}: results`, subject, async () => {
    await checkResults(deps, { runId, history, subject }, report);
    return 'its activities reported what the log has of its run';
  });
  report.count('histories');
}

interface RunHistory {
  runId: string;
  history: JsonObject;
  subject: string;
}

/** What the activities of the run reported, against what the log's tables have of it. */
async function checkResults(
  deps: ReplayDeps,
  { runId, history, subject }: RunHistory,
  report: AuditReport,
): Promise<void> {
  const results = resultsOf(history);
  const written = await writtenByRun(deps.pool, runId);
  const sealed = results.get('sealHours') ?? [];
  if (sealed.length > 0) {
    compareFields(report, { check: 'history_results_wrong', subject }, {
      sealed_until: [
        sealed.at(-1)?.['sealed_until'],
        written.sealedUntil ?? sealed.at(-1)?.['sealed_until'],
      ],
    });
    atLeast(report, subject, { hours: [sumOf(sealed, 'hours'), written.hours] });
    atLeast(report, subject, { windows: [sumOf(sealed, 'windows'), written.windows] });
  }
  const revised = results.get('reviseLate') ?? [];
  atLeast(report, subject, { entries: [sumOf(revised, 'entries'), written.revisions] });
  for (const closed of results.get('closeStatement') ?? []) {
    const digest = closed['digest'];
    if (typeof digest === 'string' && !written.statements.includes(digest)) {
      report.find(
        'history_results_wrong',
        subject,
        `it closed a statement of the digest ${digest}, which is not there`,
      );
    }
  }
}

/** An attempt that was killed wrote what no result tells of, so the log may have more. */
function atLeast(
  report: AuditReport,
  subject: string,
  figures: Readonly<Record<string, readonly [reported: number, written: number]>>,
): void {
  for (const [name, [reported, written]] of Object.entries(figures)) {
    if (reported <= written) continue;
    report.find(
      'history_results_wrong',
      subject,
      `'${name}' was reported as ${reported}, the log has ${written}`,
    );
  }
}

function sumOf(results: readonly JsonObject[], name: string): number {
  return results.reduce((sum, result) => sum + Number(result[name] ?? 0), 0);
}
