/**
 * The names and time limits of everything that runs on Temporal: pure data, read by workflows, workers
 * and clients alike. Workflow ids are business ids: one id, one actor.
 */
import type { ActivityOptions } from '@temporalio/workflow';

/** Task queues. Legs of ingest hold a slot for a minute each, hence a queue of their own. */
export const TASK_QUEUES = {
  control: 'nepho-control',
  ingest: 'nepho-ingest',
  /** Cycles of polling, which wait for others' endpoints most of the time. */
  poll: 'nepho-poll',
  /** Sealing hours and closing statements, which may take long. */
  windows: 'nepho-windows',
  /** Attempts at webhooks, which wait for others' endpoints and must hold up nothing else. */
  webhooks: 'nepho-webhooks',
} as const;

/** The actor that brings one shard of the intake into its log. */
export function ingestShardId(shard: number): string {
  return `ingest-shard-${shard}`;
}

/** The Schedule and the actor that keep partitions ahead of time and summaries fresh. */
export const MAINTENANCE_ID = 'maintenance';
export const MAINTENANCE_EVERY = '1 hour';

/** How long a leg of ingest pulls before it returns its receipt. */
export const INGEST_LEG_SECONDS = 60;

/** Legs before `ingestShard` continues as new: about 3½ hours, some 1,500 events. */
export const INGEST_LEGS_PER_RUN = 200;

/**
 * A leg reports each batch by heartbeat, so a dead worker is noticed after `heartbeatTimeout`. Its
 * retries never end: what fails for good stops the actor by a non-retryable failure instead.
 */
export const INGEST_LEG_OPTIONS = {
  taskQueue: TASK_QUEUES.ingest,
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '10 seconds',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: {
    initialInterval: '500 milliseconds',
    backoffCoefficient: 2,
    maximumInterval: '15 seconds',
  },
} satisfies ActivityOptions;

export const MAINTENANCE_OPTIONS = {
  taskQueue: TASK_QUEUES.control,
  startToCloseTimeout: '10 minutes',
  retry: { initialInterval: '5 seconds', maximumInterval: '5 minutes', maximumAttempts: 10 },
} satisfies ActivityOptions;

/** The Schedule and the actor that move old samples into archives. */
export const RETENTION_ID = 'retention';
export const RETENTION_EVERY = '1 day';

/** A month may take an hour. */
export const ARCHIVE_OPTIONS = {
  taskQueue: TASK_QUEUES.control,
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '2 minutes',
  retry: { initialInterval: '5 seconds', maximumInterval: '10 minutes', maximumAttempts: 10 },
} satisfies ActivityOptions;

/** The Schedule and the actor of the nightly audit. */
export const AUDIT_ID = 'audit';
/** One that an operator asked for. */
export const AUDIT_BY_HAND_ID = 'audit-by-hand';
/** Hours, statements and histories before the actor continues as new: some 1,200 events. */
export const AUDIT_PARTS_PER_RUN = 200;

/** An hour of many series, its lookback and the replay of its run. */
export const AUDIT_OPTIONS = {
  taskQueue: TASK_QUEUES.control,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '2 minutes',
  retry: { initialInterval: '5 seconds', maximumInterval: '10 minutes', maximumAttempts: 10 },
} satisfies ActivityOptions;

/** The Schedule that looks for cycles of which nothing was heard. */
export const POLL_CHECK_ID = 'poll-check';
export const POLL_CHECK_EVERY = '1 minute';

/**
 * What a cycle may use of its interval: polling in one or two attempts, then the word that it failed, all
 * before the next one begins.
 */
export const POLL_SHARE = { polling: 0.8, run: 0.95 } as const;

/**
 * Seconds without a word after which a worker is taken for lost: of a short cycle a quarter, or nobody could
 * take over in its time.
 */
export function pollHeartbeatSeconds(cycleSeconds: number): number {
  return Math.min(10, Math.max(2, cycleSeconds / 4));
}

/** A lost worker is noticed within seconds, so that another can poll in the same cycle. */
export const POLL_CYCLE_OPTIONS = {
  taskQueue: TASK_QUEUES.poll,
  heartbeatTimeout: '10 seconds',
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '10 seconds' },
} satisfies ActivityOptions;

/** Seconds that one cycle may take when it is repaired, and cycles before the actor continues as new. */
export const BACKFILL_CYCLE_SECONDS = 120;
export const BACKFILL_CYCLES_PER_RUN = 200;

export const POLL_ACCOUNT_OPTIONS = {
  taskQueue: TASK_QUEUES.control,
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumInterval: '10 seconds', maximumAttempts: 10 },
} satisfies ActivityOptions;

/** The actor that closes the hours of one shard's log. */
export function windowKeeperId(shard: number): string {
  return `window-keeper-${shard}`;
}

/** The child that seals from an hour on, as of a size of the log. */
export function sealWindowsId(task: { shard: number; from: string; size: number }): string {
  return `seal-${task.shard}-${task.from}-${task.size}`;
}

/** Seconds between two looks of a keeper at its watermark. */
export const KEEPER_EVERY_SECONDS = 60;
/** Looks before `windowKeeper` continues as new: some three hours, and 2,000 events. */
export const KEEPER_ROUNDS_PER_RUN = 200;
/** Hours that one child seals at most, in one activity. */
export const MAX_HOURS_PER_SEAL = 24;

/** What hinders these ends some time: a database, an intake, a key file. No attempt is the last one. */
const PATIENT_RETRY = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
} satisfies ActivityOptions['retry'];

export const WATERMARK_OPTIONS = {
  taskQueue: TASK_QUEUES.windows,
  startToCloseTimeout: '5 minutes',
  retry: PATIENT_RETRY,
} satisfies ActivityOptions;

/** An hour shows by a heartbeat that it is done; what fails for good halts the keeper instead of retries. */
export const SEALING_OPTIONS = {
  taskQueue: TASK_QUEUES.windows,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '2 minutes',
  retry: PATIENT_RETRY,
} satisfies ActivityOptions;

/** A history that cannot be exported by then is gone: it holds up nothing else. */
export const HISTORY_OPTIONS = {
  taskQueue: TASK_QUEUES.windows,
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  retry: PATIENT_RETRY,
} satisfies ActivityOptions;

/** Bytes that an activity may return: histories carry receipts, never samples. */
export const MAX_RECEIPT_BYTES = 4_096;

/** The Schedule and the actor that open the actors of billing periods, and tell them of revisions. */
export const BILLING_RUN_ID = 'billing-run';
export const BILLING_RUN_EVERY = '10 minutes';

/** Pages of periods that one run of `billingRun` goes through before it continues as new. */
export const BILLING_PAGES_PER_RUN = 20;

/** Seconds between two looks at an open period, and while it waits for its hours to be sealed. */
export const BILLING_LOOK_SECONDS = 3_600;
export const BILLING_WAIT_SECONDS = 120;
/** Looks before `billingPeriod` continues as new: eight days of an open period. */
export const BILLING_LOOKS_PER_RUN = 200;

/** Reading, and marking what is to be done. Like all of billing it shows by heartbeats that it lives. */
export const BILLING_OPTIONS = {
  taskQueue: TASK_QUEUES.windows,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '20 seconds',
  retry: { ...PATIENT_RETRY, maximumInterval: '5 minutes' },
} satisfies ActivityOptions;

/** Some 10,000 windows a second go into a statement. */
export const CLOSING_OPTIONS = {
  taskQueue: TASK_QUEUES.windows,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '20 seconds',
  retry: { ...PATIENT_RETRY, maximumInterval: '5 minutes' },
} satisfies ActivityOptions;

/**
 * Seconds from one attempt at a webhook to the next: the schedule of Standard Webhooks, three days in all.
 * Those of minutes and more are lengthened by up to a tenth, by chance, so that not all come at once.
 */
export const WEBHOOK_DELAYS = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** The longest that an endpoint may ask us to wait by `Retry-After`. */
export const WEBHOOK_MAX_WAIT_SECONDS = 86_400;

/** One attempt; what came of it is its result. It is retried only if nothing could be sent or recorded. */
export const WEBHOOK_OPTIONS = {
  taskQueue: TASK_QUEUES.webhooks,
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '15 seconds',
  retry: PATIENT_RETRY,
} satisfies ActivityOptions;
/** The actor that tells one endpoint of one statement. */
export function webhookActorId(deliveryId: string): string {
  return `webhook-${deliveryId}`;
}

/** Hours that one worker seals, and statements that it closes, at once. */
export const WINDOWS_AT_ONCE = 4;

/** Attempts that one worker makes at once. */
export const WEBHOOKS_AT_ONCE = 16;
