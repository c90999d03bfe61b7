/** Histories of the keepers of windows, see record_histories.ts. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import type { HistoryActivities } from '../activities/export_history.ts';
import type { Watermark } from '../activities/read_watermark.ts';
import type { WindowActivities } from '../activities/window_activities.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import {
  type KeeperStatus,
  lookSignal,
  pauseSignal,
  resumeSignal,
} from '../workflows/window_keeper.ts';
import { save, startWorkers } from './history_recorder.ts';

type Activities = WindowActivities & HistoryActivities;

const HOURS = ['2026-11-22T06:00:00.000000Z', '2026-11-22T08:00:00.000000Z'] as const;

interface Recording {
  name: string;
  activities: () => Activities;
  /** Drives the keeper, and returns when its history holds the case. */
  drive: (handle: WorkflowHandle) => Promise<void>;
}

const RECORDINGS: readonly Recording[] = [
  {
    // Two hours, then something late, then nothing: three rounds, and on as new.
    name: 'window_keeper_VERSION_sealed',
    activities: () =>
      activities([{}, { sealed_until: HOURS[1], late: 3 }, { sealed_until: HOURS[1] }]),
    drive: async (handle) => {
      for (const rounds of [1, 2]) {
        await untilRounds(handle, rounds, () => handle.signal(lookSignal));
      }
      await untilRounds(handle, 3);
    },
  },
  {
    name: 'window_keeper_VERSION_paused_and_resumed',
    activities: () => activities([{ sealed_until: HOURS[1] }]),
    drive: async (handle) => {
      await untilRounds(handle, 1);
      await handle.signal(pauseSignal, 'maintenance');
      await until(handle, ({ mode }) => mode === 'paused');
      await handle.signal(resumeSignal);
      await untilRounds(handle, 2);
      await handle.signal(lookSignal);
      await untilRounds(handle, 3);
    },
  },
  {
    name: 'window_keeper_VERSION_halted_and_resumed',
    activities: () => {
      let calls = 0;
      const usual = activities([{}]);
      return {
        ...usual,
        sealHours: (input) =>
          (calls += 1) === 1 ? Promise.reject(failure('log_damaged')) : usual.sealHours(input),
        exportHistory: () => Promise.reject(failure('history_missing')),
      };
    },
    drive: async (handle) => {
      await until(handle, ({ mode }) => mode === 'halted');
      await handle.signal(resumeSignal);
      await untilRounds(handle, 2);
      await handle.signal(lookSignal);
      await untilRounds(handle, 3);
    },
  },
];

export async function recordWindows(
  client: Client,
  native: NativeConnection,
  version: string,
): Promise<void> {
  for (const recording of RECORDINGS) {
    const name = recording.name.replace('VERSION', version);
    const workers = await startWorkers(native, { ...recording.activities() });
    const started = await client.workflow.start('windowKeeper', {
      workflowId: name,
      taskQueue: TASK_QUEUES.control,
      args: [{ shard: 0, every_seconds: 3_600, rounds_per_run: 3 }],
    });
    const firstRun = client.workflow.getHandle(name, started.firstExecutionRunId);
    await recording.drive(client.workflow.getHandle(name));
    // The first run is the one to keep: it ends by continuing as new.
    await client.workflow.getHandle(name).signal(lookSignal);
    await ended(firstRun);
    await save(firstRun, name);
    await client.workflow.getHandle(name).terminate('recorded');
    if (name.endsWith('_sealed')) await saveChildren(client, version);
    await workers.stop();
  }
}

/** Of the children the one that sealed, and the one that only revised. */
async function saveChildren(client: Client, version: string): Promise<void> {
  const sealed = client.workflow.getHandle(`seal-0-${HOURS[0]}-1000`);
  await save(sealed, `seal_windows_${version}_sealed`);
  const revised = client.workflow.getHandle(`seal-0-${HOURS[1]}-1001`);
  await save(revised, `seal_windows_${version}_revised`);
}

/** One watermark after the other, the last one for ever. */
function activities(marks: readonly Partial<Watermark>[]): Activities {
  let looks = 0;
  return {
    readWatermark: ({ shard }) => {
      const mark = marks[Math.min(looks, marks.length - 1)];
      const size = 1_000 + looks;
      looks += 1;
      return Promise.resolve({
        shard,
        size,
        sealed_until: HOURS[0],
        ready_until: HOURS[1],
        late: 0,
        look_again_seconds: 60,
        waiting_for: [],
        ...mark,
      });
    },
    reviseLate: ({ shard, to }) =>
      Promise.resolve({ shard, samples: 3, windows: 4, entries: 1, scanned_to: to }),
    sealHours: ({ shard, to }) =>
      Promise.resolve({ shard, hours: 2, windows: 20_000, sealed_until: to }),
    exportHistory: ({ run_id }) => Promise.resolve({ run_id, digest: '22'.repeat(32), events: 17 }),
  };
}

async function untilRounds(
  handle: WorkflowHandle,
  rounds: number,
  then: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await until(handle, ({ totals, sealing }) => totals.rounds >= rounds && !sealing);
  await then();
}

async function until(
  handle: WorkflowHandle,
  holds: (status: KeeperStatus) => boolean,
): Promise<void> {
  while (!holds(await handle.query<KeeperStatus>('status'))) { /* asked again */ }
}

async function ended(handle: WorkflowHandle): Promise<void> {
  while ((await handle.describe()).status.name === 'RUNNING') { /* asked again */ }
}

function failure(type: string): ApplicationFailure {
  return ApplicationFailure.create({ message: `Cannot go on: ${type}`, type, nonRetryable: true });
}
