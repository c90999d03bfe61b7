import type { StrictRecord } from './strict_record.ts';
import { readWorkflowRun, type WorkflowRun } from './workflow_run.ts';

/** The history of a workflow run was taken out of Temporal, to be replayed when that has forgotten it. */
export interface HistoryEntry extends WorkflowRun {
  kind: 'history';
  v: 1;
  workflow_type: string;
  /** How many events it has. */
  events: number;
  /** SHA-256 of the history in canonical JSON, 64 hexadecimal digits. */
  digest: string;
  recorded_at: string;
}

export function readHistoryEntry(record: StrictRecord): HistoryEntry {
  return {
    kind: 'history',
    v: 1,
    ...readWorkflowRun(record),
    workflow_type: record.text('workflow_type'),
    events: record.count('events'),
    digest: record.hex('digest', 64),
    recorded_at: record.time('recorded_at'),
  };
}
