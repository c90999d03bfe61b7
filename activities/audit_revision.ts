import { readRevision } from '../db/audit_rows.ts';
import type { Queryable } from '../db/client.ts';
import type { RevisionEntry } from '../ledger/revision_entry.ts';
import { type AuditReport, compareFields } from './audit_report.ts';

/** The row beside a `revision` entry. */
export async function checkRevisionRow(
  db: Queryable,
  { position, entry, subject }: { position: number; entry: RevisionEntry; subject: string },
  report: AuditReport,
): Promise<void> {
  const row = await readRevision(db, position);
  if (row === null) {
    report.find('revision_missing', subject, 'the entry has no row');
    return;
  }
  compareFields(report, { check: 'revision_wrong', subject }, {
    changes: [row.changes, entry.changes.length],
    covers_from: [row.coversFrom, entry.covers_from],
    covers_to: [row.coversTo, entry.covers_to],
    revised_at: [row.revisedAt, entry.recorded_at],
    workflow_id: [row.workflowId, entry.workflow_id],
    run_id: [row.runId, entry.run_id],
  });
}
