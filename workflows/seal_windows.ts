/**
 * One round of a keeper of windows: makes revisions of what came late, then seals the hours that are ready,
 * at one size of the log. Its id is `seal-<shard>-<first hour>-<size>`; its history is exported by the keeper.
 */
import { defineQuery, proxyActivities, setHandler } from '@temporalio/workflow';
import type { ReviseReceipt } from '../activities/revise_late.ts';
import type { SealReceipt } from '../activities/seal_hours.ts';
import type { WindowActivities } from '../activities/window_activities.ts';
import { SEALING_OPTIONS } from '../temporal.config.ts';

export interface SealWindowsInput {
  shard: number;
  /** First instants of the first hour, and of that after the last: equal if there is none to seal. */
  from: string;
  to: string;
  /** The log's size that everything stands at afterwards. */
  size: number;
}

export interface SealWindowsOutcome {
  revised: ReviseReceipt;
  sealed: SealReceipt | null;
}

export interface SealWindowsStatus {
  shard: number;
  step: 'revising' | 'sealing' | 'done';
}

export const statusQuery = defineQuery<SealWindowsStatus>('status');

const { reviseLate, sealHours } = proxyActivities<WindowActivities>(SEALING_OPTIONS);

export async function sealWindows(input: SealWindowsInput): Promise<SealWindowsOutcome> {
  const { shard, from, to, size } = input;
  let step: SealWindowsStatus['step'] = 'revising';
  setHandler(statusQuery, () => ({ shard, step }));

  const revised = await reviseLate({ shard, to: size });
  step = 'sealing';
  const sealed = from < to ? await sealHours({ shard, from, to, size }) : null;
  step = 'done';
  return { revised, sealed };
}
