import { type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { NephoError } from '../meters/errors.ts';

/** Reads the histories of runs as JSON, payloads as they are. */
export function historyFetcher(
  client: WorkflowClient,
): (workflowId: string, runId: string) => Promise<string> {
  return async (workflowId, runId) => {
    try {
      return historyToJSON(await client.getHandle(workflowId, runId).fetchHistory());
    } catch (cause) {
      if (!(cause instanceof WorkflowNotFoundError)) throw cause;
      throw new NephoError(
        'history_missing',
        `Cannot export the history of run '${runId}' of '${workflowId}': Temporal does not hold it any more, or never did`,
        { cause },
      );
    }
  };
}
