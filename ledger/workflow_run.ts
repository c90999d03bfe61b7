import type { StrictRecord } from './strict_record.ts';

/** The run of a Temporal workflow that wrote an entry: its history tells how. */
export interface WorkflowRun {
  workflow_id: string;
  run_id: string;
}

export function readWorkflowRun(record: StrictRecord): WorkflowRun {
  return { workflow_id: record.text('workflow_id'), run_id: record.text('run_id') };
}
