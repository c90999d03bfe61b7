/** Histories of the actors of polling, see record_histories.ts. */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import type { PollAccountActivities } from '../activities/poll_account.ts';
import type { PollActivities } from '../activities/poll_cycle.ts';
import type { CycleReceipt } from '../collectors/polling/run_cycle.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import { save, startWorkers } from './history_recorder.ts';

type Activities = PollActivities & PollAccountActivities;

const CYCLE = '2026-11-22T08:00:07.000000Z';
const RECEIPT: CycleReceipt = {
  cycle: CYCLE,
  units: 100,
  samples: 2_000,
  missing: 40,
  gaps: { timeout: 40 },
  remarks: { counter_reset: 1 },
  requests: 101,
  started_at: '2026-11-22T08:00:07.120000Z',
  ended_at: '2026-11-22T08:00:09.250000Z',
};
const PLAIN: Activities = {
  pollCycle: () => Promise.resolve(RECEIPT),
  repairableCycles: () =>
    Promise.resolve({
      pollsters: ['prometheus.query'],
      cycles: [CYCLE, '2026-11-22T08:01:07.000000Z'],
    }),
  recordMissed: () => Promise.resolve(),
  checkCycles: () => Promise.resolve({ sources: 3, missed: 0 }),
};
const GROUP = { cloud: 'openstack', source: 'compute', group: 0 };

interface Recording {
  name: string;
  workflow: string;
  args: unknown[];
  activities?: Partial<Activities>;
}

const RECORDINGS: readonly Recording[] = [
  {
    name: 'poll_source_VERSION_polled',
    workflow: 'pollSource',
    args: [{ ...GROUP, interval_seconds: 60, cycle: CYCLE }],
  },
  {
    name: 'poll_source_VERSION_missed',
    workflow: 'pollSource',
    args: [{ ...GROUP, interval_seconds: 60, cycle: CYCLE }],
    activities: { pollCycle: () => Promise.reject(unknownCloud()) },
  },
  {
    name: 'backfill_source_VERSION_repaired',
    workflow: 'backfillSource',
    args: [{ ...GROUP, from: '2026-11-22T08:00:00.000000Z', to: '2026-11-22T09:00:00.000000Z' }],
  },
  { name: 'check_polls_VERSION_plain', workflow: 'checkPolls', args: [] },
];

export async function recordPolling(
  client: Client,
  native: NativeConnection,
  version: string,
): Promise<void> {
  for (const { name: pattern, workflow, args, activities } of RECORDINGS) {
    const name = pattern.replace('VERSION', version);
    const workers = await startWorkers(native, { ...PLAIN, ...activities });
    const handle = await client.workflow.start(workflow, {
      workflowId: name,
      taskQueue: TASK_QUEUES.control,
      args,
    });
    await handle.result();
    await save(handle, name);
    await workers.stop();
  }
}

function unknownCloud(): ApplicationFailure {
  return ApplicationFailure.create({
    message: "Cannot poll the cloud 'openstack': it is not configured here",
    type: 'cloud_unknown',
    nonRetryable: true,
  });
}
