/** The Temporal worker: its task queues, the actors that must be running, and an orderly end. */
import {
  Client,
  Connection,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions as TemporalWorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createRetentionActivities, type RetentionDeps } from '../activities/archive_partition.ts';
import { type AuditActivityDeps, createAuditActivities } from '../activities/audit_run.ts';
import { createBillingActivities } from '../activities/billing_activities.ts';
import type { BillingDeps, WebhookDeps } from '../activities/billing_deps.ts';
import { createWebhookActivities } from '../activities/deliver_webhook.ts';
import { createHistoryActivities, type HistoryDeps } from '../activities/export_history.ts';
import { createIngestActivities } from '../activities/ingest_leg.ts';
import type { IngestDeps } from '../activities/ingest_deps.ts';
import { createPollAccountActivities } from '../activities/poll_account.ts';
import type { PollAccountDeps } from '../activities/poll_deps.ts';
import { createStorageActivities } from '../activities/maintain_storage.ts';
import { createWindowActivities } from '../activities/window_activities.ts';
import type { WindowDeps } from '../activities/window_deps.ts';
import { NephoError } from '../meters/errors.ts';
import {
  AUDIT_ID,
  BILLING_RUN_EVERY,
  BILLING_RUN_ID,
  ingestShardId,
  MAINTENANCE_EVERY,
  MAINTENANCE_ID,
  POLL_CHECK_EVERY,
  POLL_CHECK_ID,
  RETENTION_EVERY,
  RETENTION_ID,
  TASK_QUEUES,
  WEBHOOKS_AT_ONCE,
  windowKeeperId,
  WINDOWS_AT_ONCE,
} from '../temporal.config.ts';
import type { IngestShardState } from '../workflows/ingest_shard.ts';
import type { WindowKeeperState } from '../workflows/window_keeper.ts';
import { bundleWorkflows } from './workflow_bundle.ts';

export interface WorkerOptions {
  /** `host:port` of Temporal's frontend. */
  address: string;
  namespace: string;
  shards: number;
  /** Legs that this worker runs at once; those of all shards, and one to take over, unless given. */
  maxLegs?: number;
  /** Seconds a leg lasts, and legs a run has; the defaults of temporal.config.ts unless given. */
  legSeconds?: number;
  legsPerRun?: number;
  /** Workflows that were bundled before; bundled now, in a process that ends, unless given. */
  workflowBundle?: WorkflowBundleOption;
}

export interface RunningWorker {
  /** Resolves when the worker has ended; rejects if it failed. */
  readonly ended: Promise<void>;
  /** Lets running legs finish their batch, then ends. */
  stop(): Promise<void>;
}

/** Milliseconds that running activities have to end after {@link RunningWorker.stop}. */
const FORCE_AFTER = '20 seconds';

/** What a worker does beside ingest: what is not given is not done here. */
export interface WorkerParts {
  account?: PollAccountDeps;
  windows?: WindowDeps & Pick<HistoryDeps, 'fetchHistory'>;
  billing?: BillingDeps & WebhookDeps;
  retention?: RetentionDeps;
  /** `at`: when the nightly audit begins, UTC. */
  audit?: AuditActivityDeps & { at: { hour: number; minute: number } };
}

export async function runWorker(
  deps: IngestDeps,
  options: WorkerOptions,
  parts: WorkerParts = {},
): Promise<RunningWorker> {
  logTemporalBy(deps.log);
  const connection = await connectTemporal(options.address);
  const common = {
    connection,
    namespace: options.namespace,
    // Pause and drain reach a running leg by its heartbeats.
    maxHeartbeatThrottleInterval: '1 second',
    shutdownForceTime: FORCE_AFTER,
  } as const;
  const control = await Worker.create({
    ...common,
    taskQueue: TASK_QUEUES.control,
    workflowBundle: options.workflowBundle ?? await bundleWorkflows(),
    activities: {
      ...createStorageActivities(deps),
      ...parts.account === undefined ? {} : createPollAccountActivities(parts.account),
      ...parts.retention === undefined ? {} : createRetentionActivities(parts.retention),
      ...parts.audit === undefined ? {} : createAuditActivities(parts.audit),
    },
    maxCachedWorkflows: 200,
  });
  const ingest = await Worker.create({
    ...common,
    taskQueue: TASK_QUEUES.ingest,
    activities: { ...createIngestActivities(deps) },
    maxConcurrentActivityTaskExecutions: options.maxLegs ?? options.shards + 1,
  });
  const workers = [control, ingest, ...await createPartWorkers(common, parts)];
  const running = workers.map((worker) => worker.run());
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  // One queue without a worker is worse than none: if one fails, both end.
  for (const run of running) run.catch(shutdown);
  const ended = closeAfter(running, connection);
  const stop = async (): Promise<void> => {
    shutdown();
    await ended;
  };
  try {
    await startActors(options, parts);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ended, stop };
}

/** The queues of what is not ingest. */
async function createPartWorkers(
  common: Omit<TemporalWorkerOptions, 'taskQueue'>,
  { windows, billing }: WorkerParts,
): Promise<Worker[]> {
  const workers: Worker[] = [];
  if (windows !== undefined || billing !== undefined) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: TASK_QUEUES.windows,
        activities: {
          ...windows === undefined ? {} : createWindowActivities(windows),
          ...windows === undefined ? {} : createHistoryActivities(windows),
          ...billing === undefined ? {} : createBillingActivities(billing),
        },
        maxConcurrentActivityTaskExecutions: WINDOWS_AT_ONCE,
      }),
    );
  }
  if (billing !== undefined) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: TASK_QUEUES.webhooks,
        activities: { ...createWebhookActivities(billing) },
        maxConcurrentActivityTaskExecutions: WEBHOOKS_AT_ONCE,
      }),
    );
  }
  return workers;
}

/** Waits for every worker, whichever fails first, before the connection that they share is closed. */
async function closeAfter(
  running: readonly Promise<void>[],
  connection: NativeConnection,
): Promise<void> {
  const outcomes = await Promise.allSettled(running);
  await connection.close();
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

export async function connectTemporal(address: string): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect({ address });
  } catch (cause) {
    throw new NephoError(
      'temporal_unreachable',
      `Cannot reach Temporal at ${address}: start it, or correct NEPHO_TEMPORAL_ADDRESS`,
      { cause, retryable: true },
    );
  }
}

let isLoggerInstalled = false;

/** Temporal's runtime is one a process, so its logger is that of the first worker. */
export function logTemporalBy(log: IngestDeps['log']): void {
  if (isLoggerInstalled) return;
  isLoggerInstalled = true;
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message }) => {
      log[level === 'ERROR' ? 'error' : 'warn']('temporal', { message });
    }),
  });
}

/** Starts each shard's actors and the Schedules unless they are there. */
async function startActors(options: WorkerOptions, parts: WorkerParts): Promise<void> {
  const connection = await Connection.connect({ address: options.address });
  try {
    const client = new Client({ connection, namespace: options.namespace });
    for (let shard = 0; shard < options.shards; shard += 1) {
      const state: IngestShardState = {
        shard,
        ...options.legSeconds === undefined ? {} : { leg_seconds: options.legSeconds },
        ...options.legsPerRun === undefined ? {} : { legs_per_run: options.legsPerRun },
      };
      await client.workflow.start('ingestShard', {
        workflowId: ingestShardId(shard),
        workflowIdConflictPolicy: 'USE_EXISTING',
        taskQueue: TASK_QUEUES.control,
        args: [state],
      });
      if (parts.windows !== undefined) await startKeeper(client, shard);
    }
    await startSchedule(client, {
      id: MAINTENANCE_ID,
      every: MAINTENANCE_EVERY,
      workflowType: 'maintainStorageOnce',
      runTimeout: '30 minutes',
    });
    if (parts.billing !== undefined) {
      await startSchedule(client, {
        id: BILLING_RUN_ID,
        every: BILLING_RUN_EVERY,
        workflowType: 'billingRun',
        runTimeout: '30 minutes',
      });
    }
    if (parts.retention !== undefined) {
      await startSchedule(client, {
        id: RETENTION_ID,
        every: RETENTION_EVERY,
        workflowType: 'retainSamples',
        runTimeout: '1 day',
      });
    }
    if (parts.audit !== undefined) await startAudits(client, parts.audit.at);
    if (parts.account !== undefined) {
      await startSchedule(client, {
        id: POLL_CHECK_ID,
        every: POLL_CHECK_EVERY,
        workflowType: 'checkPolls',
        runTimeout: '5 minutes',
      });
    }
  } finally {
    await connection.close();
  }
}

async function startKeeper(client: Client, shard: number): Promise<void> {
  const state: WindowKeeperState = { shard };
  await client.workflow.start('windowKeeper', {
    workflowId: windowKeeperId(shard),
    workflowIdConflictPolicy: 'USE_EXISTING',
    taskQueue: TASK_QUEUES.control,
    args: [state],
  });
}

interface OwnSchedule {
  id: string;
  every:
    | typeof MAINTENANCE_EVERY
    | typeof POLL_CHECK_EVERY
    | typeof BILLING_RUN_EVERY
    | typeof RETENTION_EVERY;
  workflowType: string;
  runTimeout: '30 minutes' | '5 minutes' | '1 day';
}

/** Nightly. When it begins may be configured anew, so a Schedule that is there is brought up to date. */
async function startAudits(
  client: Client,
  { hour, minute }: { hour: number; minute: number },
): Promise<void> {
  const options = {
    spec: { calendars: [{ hour, minute }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'auditOnce',
      taskQueue: TASK_QUEUES.control,
      workflowRunTimeout: '1 day' as const,
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' as const },
  };
  try {
    await client.schedule.create({ scheduleId: AUDIT_ID, ...options });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule.getHandle(AUDIT_ID).update(({ state }) => ({ ...options, state }));
  }
}

/** A missed run is made up for by the next, so none is caught up with. */
async function startSchedule(client: Client, schedule: OwnSchedule): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: schedule.id,
      spec: { intervals: [{ every: schedule.every }] },
      action: {
        type: 'startWorkflow',
        workflowType: schedule.workflowType,
        taskQueue: TASK_QUEUES.control,
        workflowRunTimeout: schedule.runTimeout,
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
