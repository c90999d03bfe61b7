/** What the keepers of windows order, as Temporal calls it. */
import { Context } from '@temporalio/activity';
import { assert } from '../meters/assert.ts';
import { errorMessage } from '../meters/errors.ts';
import { ingestFailure } from './failures.ts';
import { readWatermark, type Watermark, type WatermarkInput } from './read_watermark.ts';
import { reviseLate, type ReviseLateInput, type ReviseReceipt } from './revise_late.ts';
import { sealHours, type SealHoursInput, type SealReceipt } from './seal_hours.ts';
import type { WindowDeps } from './window_deps.ts';

export interface WindowActivities {
  /** How far the hours of a shard may be sealed. Begins its windows at the first sample. Idempotent. */
  readWatermark(input: WatermarkInput): Promise<Watermark>;
  /** Makes revisions of what came late, up to a leaf. Safe to run again at any point. */
  reviseLate(input: ReviseLateInput): Promise<ReviseReceipt>;
  /** Seals hours, one after the other. Safe to run again at any point. */
  sealHours(input: SealHoursInput): Promise<SealReceipt>;
}

/** Somebody else was at it: the next look at the watermark says how far things are. */
const FINAL = new Set(['seal_out_of_step', 'windows_not_begun', 'entry_too_large']);

export function createWindowActivities(deps: WindowDeps): WindowActivities {
  const failing = async <Result>(activity: string, shard: number, work: () => Promise<Result>) => {
    try {
      return await work();
    } catch (error) {
      deps.log.error('windows_failed', { activity, shard, error: errorMessage(error) });
      throw ingestFailure(error, FINAL);
    }
  };
  return {
    readWatermark: (input) =>
      failing('readWatermark', input.shard, () => readWatermark(deps, input)),
    reviseLate: (input) =>
      failing('reviseLate', input.shard, () => reviseLate(deps, input, control())),
    sealHours: (input) =>
      failing('sealHours', input.shard, () => sealHours(deps, input, control())),
  };
}

/** The run that is written into entries, and the word that it lives. */
function control() {
  const context = Context.current();
  const { workflowExecution } = context.info;
  assert(workflowExecution !== undefined, 'windows are sealed by a workflow');
  const { workflowId, runId } = workflowExecution;
  return {
    run: { workflowId, runId },
    progress: (reached: string | number) => {
      context.heartbeat({ reached });
      if (context.cancellationSignal.aborted) throw context.cancellationSignal.reason;
    },
  };
}
