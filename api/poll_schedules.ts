/** The Schedules of the sources: what Temporal is told of them, and what it says. */
import {
  type ScheduleClient,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { phaseSeconds, type PollGroupName, pollScheduleId } from '../meters/poll_schedule.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { POLL_SHARE, TASK_QUEUES } from '../temporal.config.ts';
import type { PollSourceInput } from '../workflows/poll_source.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';

/** Milliseconds that Temporal has to answer. */
const ANSWER_MS = 10_000;

/** What a Schedule says of itself. */
export interface ScheduleStatus {
  paused: boolean;
  /** Why it is paused, or was last changed. */
  note: string | null;
  intervalSeconds: number | null;
  lastRun: string | null;
  nextRun: string | null;
  skippedOverlap: number;
  missedCatchup: number;
}

type Deps = Pick<ApiDeps, 'schedules'>;

export function schedulesOf({ schedules }: Deps): ScheduleClient {
  if (schedules !== null) return schedules;
  throw apiError('actors_unavailable', 'Cannot reach the schedules: this API has no Temporal');
}

/** Null if there is none. @throws {NephoError} `actors_unavailable` */
export async function describeSchedule(
  client: ScheduleClient,
  name: PollGroupName,
): Promise<ScheduleStatus | null> {
  return await describeScheduleOf(client, pollScheduleId(name));
}

/** The same by the Schedule's id. */
export async function describeScheduleOf(
  client: ScheduleClient,
  id: string,
): Promise<ScheduleStatus | null> {
  const description = await unlessAbsent(client, id, (handle) => handle.describe());
  return description === null ? null : statusOf(description);
}

/** Makes it, or makes it as it should be; one that is paused stays so. */
export async function putSchedule(
  client: ScheduleClient,
  name: PollGroupName,
  intervalSeconds: number,
): Promise<void> {
  const wanted = scheduleOptions(name, intervalSeconds);
  const updated = await unlessAbsent(client, pollScheduleId(name), async (handle) => {
    await handle.update(({ state }) => ({
      spec: wanted.spec,
      action: wanted.action,
      policies: wanted.policies ?? {},
      state,
    }));
    return true;
  });
  if (updated === null) await inTime(client, () => client.create(wanted));
}

/** @returns false if there was none */
export async function deleteSchedule(
  client: ScheduleClient,
  name: PollGroupName,
): Promise<boolean> {
  return await unlessAbsent(client, pollScheduleId(name), async (handle) => {
    await handle.delete();
    return true;
  }) ?? false;
}

export type ScheduleOrder = { order: 'pause'; note: string } | { order: 'resume'; note: string } | {
  order: 'trigger';
};

/** @returns false if there is none */
export async function orderSchedule(
  client: ScheduleClient,
  name: PollGroupName,
  order: ScheduleOrder,
): Promise<boolean> {
  return await unlessAbsent(client, pollScheduleId(name), async (handle) => {
    if (order.order === 'pause') await handle.pause(order.note);
    else if (order.order === 'resume') await handle.unpause(order.note);
    else await handle.trigger(ScheduleOverlapPolicy.ALLOW_ALL);
    return true;
  }) ?? false;
}

/**
 * - UTC intervals with a phase of the group's own: no daylight saving, no thundering herd.
 * - A run ends before the next one is due, so they do not overlap; should one be late all the same, the
 *   next one waits for it, and is not dropped.
 * - What an outage missed is not asked for afterwards, when the answer would be of another time: it is on
 *   record as missing, and repaired from where history is kept.
 */
function scheduleOptions(name: PollGroupName, intervalSeconds: number): ScheduleOptions {
  const id = pollScheduleId(name);
  const input: PollSourceInput = { ...name, interval_seconds: intervalSeconds };
  return {
    scheduleId: id,
    spec: {
      intervals: [{
        every: `${intervalSeconds} seconds`,
        offset: `${phaseSeconds(name, intervalSeconds)} seconds`,
      }],
    },
    action: {
      type: 'startWorkflow',
      workflowId: id,
      workflowType: 'pollSource',
      taskQueue: TASK_QUEUES.control,
      args: [input],
      workflowRunTimeout: `${Math.floor(intervalSeconds * POLL_SHARE.run)} seconds`,
    },
    policies: {
      overlap: ScheduleOverlapPolicy.BUFFER_ONE,
      catchupWindow: `${Math.max(10, intervalSeconds)} seconds`,
    },
  };
}

function statusOf({ spec, state, info }: ScheduleDescription): ScheduleStatus {
  const every = spec.intervals?.[0]?.every;
  const last = info.recentActions.at(-1)?.scheduledAt;
  const next = info.nextActionTimes[0];
  return {
    paused: state.paused,
    note: state.note ?? null,
    intervalSeconds: every === undefined ? null : every / 1_000,
    lastRun: last === undefined ? null : formatMillis(last.getTime()),
    nextRun: next === undefined ? null : formatMillis(next.getTime()),
    skippedOverlap: info.numActionsSkippedOverlap,
    missedCatchup: info.numActionsMissedCatchupWindow,
  };
}

async function unlessAbsent<T>(
  client: ScheduleClient,
  id: string,
  work: (handle: ScheduleHandle) => Promise<T>,
): Promise<T | null> {
  return await inTime(client, async () => {
    try {
      return await work(client.getHandle(id));
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return null;
      throw error;
    }
  });
}

async function inTime<T>(client: ScheduleClient, work: () => Promise<T>): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + ANSWER_MS, work);
  } catch (error) {
    throw apiError(
      'actors_unavailable',
      'Cannot reach the schedules: Temporal does not answer',
      error,
    );
  }
}
