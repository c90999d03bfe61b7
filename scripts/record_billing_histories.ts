/** Histories of the actors of billing, see record_histories.ts. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { BillingActivities, PeriodLook } from '../activities/billing_activities.ts';
import type { ClosedStatement } from '../activities/close_statement.ts';
import type { AttemptOutcome, WebhookActivities } from '../activities/deliver_webhook.ts';
import type { HistoryActivities } from '../activities/export_history.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import {
  approveUpdate,
  type BillingPeriodState,
  pauseSignal,
  rejectSignal,
  resumeSignal,
  statusQuery,
} from '../workflows/billing_period.ts';
import { type DeliverWebhookState, resendSignal } from '../workflows/deliver_webhook.ts';
import { save, startWorkers } from './history_recorder.ts';

type Activities = BillingActivities & WebhookActivities & HistoryActivities;

const DIGEST = '5e'.repeat(32);
const DELIVERY = `msg_${'0d'.repeat(16)}`;
const OPEN: PeriodLook = {
  start: '2026-10-01T00:00:00.000000Z',
  end: '2026-11-01T00:00:00.000000Z',
  zone: 'UTC',
  closes_at: '2026-11-03T00:00:00.000000Z',
  sealed: false,
  approval: false,
  statements: 0,
  totals: [{ meter: 'memory', usage_unit: 'MiB·h', quantity: '380928' }],
  left_out: 0,
};
const CLOSED: ClosedStatement = {
  number: 0,
  digest: DIGEST,
  lines: 3,
  gaps: 0,
  event: 'statement.final',
  deliveries: [DELIVERY],
  is_revised: false,
};
const FAILED: AttemptOutcome = {
  status: 'failed',
  attempt: 1,
  status_code: 503,
  failure: 'server_error',
  retry_after_seconds: 1,
};
const DELIVERED: AttemptOutcome = {
  status: 'delivered',
  attempt: 2,
  status_code: 204,
  failure: null,
  retry_after_seconds: null,
};
const PERIOD: BillingPeriodState = {
  project_id: 'c1f5',
  period: '2026-10',
  look_seconds: 1,
  wait_seconds: 1,
};

interface Recording {
  name: string;
  workflow: string;
  state: unknown;
  activities: () => Partial<Activities>;
  /** Drives the actor until its history holds the case. */
  drive?: (handle: WorkflowHandle) => Promise<unknown>;
}

const RECORDINGS: readonly Recording[] = [
  {
    name: 'billing_period_VERSION_closed',
    workflow: 'billingPeriod',
    state: PERIOD,
    activities: () => {
      const looks = inTurn<PeriodLook>([OPEN, { ...OPEN, sealed: true }]);
      return { lookAtPeriod: () => Promise.resolve(looks()) };
    },
  },
  {
    name: 'billing_period_VERSION_approved',
    workflow: 'billingPeriod',
    state: PERIOD,
    activities: () => {
      const drafts = inTurn([DIGEST, '7a'.repeat(32)]);
      return {
        lookAtPeriod: () => Promise.resolve({ ...OPEN, sealed: true, approval: true }),
        draftStatement: () =>
          Promise.resolve({ digest: drafts(), lines: 3, gaps: 0, is_news: true }),
      };
    },
    drive: async (handle) => {
      await untilMode(handle, 'awaiting_approval');
      await handle.signal(rejectSignal, 'another zone was agreed');
      await untilMode(handle, 'rejected');
      await handle.signal(resumeSignal);
      const digest = '7a'.repeat(32);
      await untilMode(handle, 'awaiting_approval', digest);
      await handle.executeUpdate(approveUpdate, { args: [{ number: 0, digest }] });
      await handle.result();
    },
  },
  {
    name: 'billing_period_VERSION_amended',
    workflow: 'billingPeriod',
    state: PERIOD,
    activities: () => {
      const looks = inTurn([1, 1, 2].map((statements) => ({ ...OPEN, sealed: true, statements })));
      const closed = inTurn<ClosedStatement | null>([
        { ...CLOSED, number: 1, event: 'statement.amended', is_revised: true },
        null,
      ]);
      return {
        lookAtPeriod: () => Promise.resolve(looks()),
        closeStatement: () => Promise.resolve(closed()),
      };
    },
  },
  {
    name: 'billing_period_VERSION_continued_as_new',
    workflow: 'billingPeriod',
    state: { ...PERIOD, looks_per_run: 3 },
    activities: () => ({ lookAtPeriod: () => Promise.resolve(OPEN) }),
    drive: async (handle) => {
      await handle.signal(pauseSignal, 'maintenance');
      await delay(1_500);
      await handle.signal(resumeSignal);
      await delay(4_000);
    },
  },
  {
    name: 'billing_run_VERSION_told',
    workflow: 'billingRun',
    state: {},
    activities: () => {
      const scans = inTurn([true, false]);
      return {
        scanPeriods: () =>
          Promise.resolve({ opened: 1, amended: 1, too_old: 0, has_more: scans() }),
        // The second is running: it was started by the first.
        periodTasks: () =>
          Promise.resolve({
            tasks: (['open', 'amend'] as const).map((want) => ({
              project_id: 'c1f5',
              period: '2026-10',
              want,
              actor_id: 'billing-c1f5-2026-10',
            })),
            after: null,
          }),
        lookAtPeriod: () => Promise.resolve(OPEN),
      };
    },
  },
  {
    name: 'deliver_webhook_VERSION_delivered',
    workflow: 'deliverWebhook',
    state: { delivery_id: DELIVERY, delays: [0, 1] } satisfies DeliverWebhookState,
    activities: () => {
      const outcomes = inTurn([FAILED, DELIVERED]);
      return { attemptWebhook: () => Promise.resolve(outcomes()) };
    },
  },
  {
    name: 'deliver_webhook_VERSION_given_up',
    workflow: 'deliverWebhook',
    state: { delivery_id: DELIVERY, delays: [0, 1] } satisfies DeliverWebhookState,
    activities: () => ({ attemptWebhook: () => Promise.resolve(FAILED) }),
  },
  {
    name: 'deliver_webhook_VERSION_resent',
    workflow: 'deliverWebhook',
    state: { delivery_id: DELIVERY } satisfies DeliverWebhookState,
    activities: () => {
      const outcomes = inTurn([FAILED, FAILED, DELIVERED]);
      return { attemptWebhook: () => Promise.resolve(outcomes()) };
    },
    drive: async (handle) => {
      // Into the wait of five minutes, out of which a person has it sent.
      await delay(7_000);
      await handle.signal(resendSignal);
      await handle.result();
    },
  },
];

const PLAIN: Activities = {
  scanPeriods: () => Promise.resolve({ opened: 0, amended: 0, too_old: 0, has_more: false }),
  periodTasks: () => Promise.resolve({ tasks: [], after: null }),
  noteTold: () => Promise.resolve(),
  lookAtPeriod: () => Promise.resolve({ ...OPEN, sealed: true }),
  chooseSizes: () => Promise.resolve({ sizes: [48_128, 51_007] }),
  draftStatement: () => Promise.resolve({ digest: DIGEST, lines: 3, gaps: 0, is_news: true }),
  closeStatement: () => Promise.resolve(CLOSED),
  closedRuns: () =>
    Promise.resolve({ runs: [{ workflow_id: 'billing-c1f5-2026-09', run_id: 'r' }] }),
  exportHistory: () => Promise.resolve({ run_id: 'r', digest: DIGEST, events: 20 }),
  attemptWebhook: () => Promise.resolve(DELIVERED),
  giveUpWebhook: () => Promise.resolve(),
};

export async function recordBilling(
  client: Client,
  native: NativeConnection,
  version: string,
): Promise<void> {
  for (const { name: pattern, workflow, state, activities, drive } of RECORDINGS) {
    const name = pattern.replace('VERSION', version);
    const workers = await startWorkers(native, { ...PLAIN, ...activities() });
    const started = await client.workflow.start(workflow, {
      workflowId: name,
      taskQueue: TASK_QUEUES.control,
      args: [state],
    });
    // The first run is the one to keep, also where it ends by continuing as new.
    const firstRun = client.workflow.getHandle(name, started.firstExecutionRunId);
    await (drive === undefined ? firstRun.result() : drive(client.workflow.getHandle(name)));
    await save(firstRun, name);
    await endAll(client);
    await workers.stop();
  }
}

/** What a recording leaves behind would be in the way of the next. */
async function endAll(client: Client): Promise<void> {
  for await (
    const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })
  ) {
    await client.workflow.getHandle(workflowId).terminate('recorded').catch(() => {});
  }
}

async function untilMode(handle: WorkflowHandle, mode: string, digest?: string): Promise<void> {
  for (;;) {
    const status = await handle.query(statusQuery);
    if (status.mode === mode && (digest === undefined || status.draft?.digest === digest)) return;
    await delay(50);
  }
}

/** One after the other, the last one for ever. */
function inTurn<Value>(values: readonly Value[]): () => Value {
  let asked = 0;
  return () => {
    const value = values[Math.min(asked, values.length - 1)] as Value;
    asked += 1;
    return value;
  };
}
