import { Worker, type WorkflowBundleOption } from '@temporalio/worker';

/** Replays histories with a bundle of workflows: what it throws says where the two part. */
export function historyReplayer(
  workflowBundle: WorkflowBundleOption,
): (history: unknown, workflowId: string) => Promise<void> {
  return async (history, workflowId) => {
    await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
  };
}
