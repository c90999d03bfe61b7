/**
 * The actor `billing-run`, begun by a Schedule every ten minutes: looks through what was sealed and revised
 * since, starts the actors of the periods that this is about or tells them of it, and has the histories kept of
 * the runs that closed statements. It has no state but where it goes on, and no messages; what is to be done
 * stands in the database until it was told.
 */
import {
  ActivityFailure,
  continueAsNew,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type {
  BillingActivities,
  NamedPeriod,
  PeriodTask,
} from '../activities/billing_activities.ts';
import type { HistoryActivities } from '../activities/export_history.ts';
import { BILLING_OPTIONS, BILLING_PAGES_PER_RUN, TASK_QUEUES } from '../temporal.config.ts';
import { isAlreadyStarted } from './already_started.ts';
import { amendSignal, type BillingPeriodState } from './billing_period.ts';

export interface BillingRunState {
  after?: NamedPeriod | null;
  done?: BillingRunResult;
}

export interface BillingRunResult {
  opened: number;
  amended: number;
  /** Actors that were started, or told if they were running. */
  told: number;
  histories: number;
}

const NOTHING: BillingRunResult = { opened: 0, amended: 0, told: 0, histories: 0 };
/** Scans of one run: after a long absence several runs follow each other. */
const SCANS_PER_RUN = 100;
/** An actor may end between the attempt to start it and the message. */
const ATTEMPTS_TO_TELL = 3;

const { scanPeriods, periodTasks, noteTold, closedRuns } = proxyActivities<BillingActivities>(
  BILLING_OPTIONS,
);
const { exportHistory } = proxyActivities<HistoryActivities>({
  ...BILLING_OPTIONS,
  // The next run tries again.
  retry: { ...BILLING_OPTIONS.retry, maximumAttempts: 2 },
});

export async function billingRun(input: BillingRunState = {}): Promise<BillingRunResult> {
  const done = { ...NOTHING, ...input.done };
  if (input.after === undefined) await scan(done);
  let after = input.after ?? null;
  for (let page = 0; page < BILLING_PAGES_PER_RUN; page += 1) {
    const next = await periodTasks({ after });
    const told: PeriodTask[] = [];
    for (const task of next.tasks) if (await tell(task)) told.push(task);
    if (told.length > 0) await noteTold({ tasks: told });
    done.told += told.length;
    after = next.after;
    if (after === null) {
      done.histories += await keepHistories();
      return done;
    }
  }
  return await continueAsNew<typeof billingRun>({ after, done });
}

async function scan(done: BillingRunResult): Promise<void> {
  for (let scans = 0; scans < SCANS_PER_RUN; scans += 1) {
    const { opened, amended, has_more } = await scanPeriods();
    done.opened += opened;
    done.amended += amended;
    if (!has_more) return;
  }
}

/** True if the actor runs and knows of it. */
async function tell({ project_id, period, want, actor_id }: PeriodTask): Promise<boolean> {
  const state: BillingPeriodState = { project_id, period };
  for (let attempt = 0; attempt < ATTEMPTS_TO_TELL; attempt += 1) {
    try {
      await startChild('billingPeriod', {
        workflowId: actor_id,
        taskQueue: TASK_QUEUES.control,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        args: [state],
      });
      return true;
    } catch (error) {
      if (!isAlreadyStarted(error)) throw error;
    }
    if (want === 'open') return true;
    try {
      await getExternalWorkflowHandle(actor_id).signal(amendSignal);
      return true;
    } catch {
      // It has just ended.
    }
  }
  return false;
}

async function keepHistories(): Promise<number> {
  const { runs } = await closedRuns();
  let kept = 0;
  for (const run of runs) {
    try {
      await exportHistory(run);
      kept += 1;
    } catch (error) {
      // One that is still running, or that Temporal has forgotten.
      if (!(error instanceof ActivityFailure)) throw error;
    }
  }
  return kept;
}
