import { TASK_QUEUES } from '../temporal.config.ts';
import type { BackfillInput } from '../workflows/backfill_source.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';

/**
 * Begins the repair of a span, one actor a group; one that is under way for the same span goes on.
 *
 * @returns the ids of the actors
 * @throws {NephoError} `actors_unavailable`
 */
export async function startBackfill(
  { workflows }: Pick<ApiDeps, 'workflows'>,
  span: { cloud: string; source: string; from: string; to: string },
  groups: number,
): Promise<string[]> {
  if (workflows === null) {
    throw apiError('actors_unavailable', 'Cannot repair: this API has no Temporal');
  }
  const { cloud, source, from, to } = span;
  const ids: string[] = [];
  for (let group = 0; group < groups; group += 1) {
    const workflowId = `backfill-${cloud}-${source}-${group}-${from}-${to}`;
    const input: BackfillInput = { cloud, source, group, from, to };
    try {
      await workflows.start('backfillSource', {
        workflowId,
        workflowIdConflictPolicy: 'USE_EXISTING',
        taskQueue: TASK_QUEUES.control,
        args: [input],
      });
    } catch (error) {
      throw apiError('actors_unavailable', 'Cannot repair: Temporal does not answer', error);
    }
    ids.push(workflowId);
  }
  return ids;
}
