/** The Temporal worker that polls: a task queue of its own, for as many processes as are wanted. */
import { Worker } from '@temporalio/worker';
import { createPollActivities } from '../activities/poll_cycle.ts';
import type { PollDeps } from '../activities/poll_deps.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import { connectTemporal, logTemporalBy, type RunningWorker } from './run_worker.ts';

/** Cycles that a worker polls at the same time: they wait for endpoints, and hold what these answer. */
const CYCLES_AT_ONCE = 16;
/** What a cycle under way has to end; it is polled again by another worker, in its time. */
const FORCE_AFTER = '10 seconds';

/** @throws {NephoError} `temporal_unreachable` */
export async function runPoller(
  deps: PollDeps,
  options: { address: string; namespace: string },
): Promise<RunningWorker> {
  logTemporalBy(deps.log);
  const connection = await connectTemporal(options.address);
  const worker = await Worker.create({
    connection,
    namespace: options.namespace,
    taskQueue: TASK_QUEUES.poll,
    activities: { ...createPollActivities(deps) },
    maxConcurrentActivityTaskExecutions: CYCLES_AT_ONCE,
    shutdownForceTime: FORCE_AFTER,
  });
  const run = async (): Promise<void> => {
    try {
      await worker.run();
    } finally {
      await connection.close();
    }
  };
  const ended = run();
  // Its failure is told by whoever awaits it.
  ended.catch(() => {});
  return {
    ended,
    stop: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    },
  };
}
