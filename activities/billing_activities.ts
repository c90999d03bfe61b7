/** What the actors of billing do, as Temporal calls it. */
import { Context } from '@temporalio/activity';
import { resolveAsOf } from '../db/as_of.ts';
import {
  isSealedUntil,
  noteTold,
  type PeriodWant,
  readBillingPeriod,
  type WantedPeriod,
  wantedPeriods,
} from '../db/billing_periods.ts';
import { hourOf } from '../db/window_columns.ts';
import { periodTotals } from '../db/period_totals.ts';
import { latestStatementNumber, runsWithoutHistory } from '../db/statements.ts';
import { billingPeriodId } from '../ledger/billing_identity.ts';
import { ofProject } from '../meters/billing_config.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMicros, formatMillis, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { BillingDeps } from './billing_deps.ts';
import {
  type ClosedStatement,
  type CloseOrder,
  closeStatement,
  type Draft,
  draftStatement,
} from './close_statement.ts';
import { ingestFailure } from './failures.ts';
import { type PeriodScan, scanPeriods } from './find_periods.ts';

export interface NamedPeriod {
  project_id: string;
  period: string;
}

export interface PeriodTask extends NamedPeriod {
  want: PeriodWant;
  actor_id: string;
}

export interface PeriodTasks {
  tasks: PeriodTask[];
  /** Where to go on; null after the last. */
  after: NamedPeriod | null;
}

/** What an actor knows of its period. */
export interface PeriodLook {
  start: string;
  end: string;
  zone: string;
  /** The end and the grace. */
  closes_at: string;
  /** Every hour of it is sealed. */
  sealed: boolean;
  approval: boolean;
  /** Statements that are closed, amendments among them. */
  statements: number;
  /** Period to date by meter, the first {@link MAX_TOTALS}; none once it is closed. */
  totals: { meter: string; usage_unit: string; quantity: string }[];
  /** Meters that are not among the totals. */
  left_out: number;
}

export interface ClosedRun {
  workflow_id: string;
  run_id: string;
}

export interface BillingActivities {
  /** Looks through what was sealed and revised. Idempotent. */
  scanPeriods(): Promise<PeriodScan>;
  /** The next periods whose actors are to be started or told. */
  periodTasks(input: { after: NamedPeriod | null }): Promise<PeriodTasks>;
  noteTold(input: { tasks: PeriodTask[] }): Promise<void>;
  lookAtPeriod(input: NamedPeriod): Promise<PeriodLook>;
  /** How much of each log is known now, by log id. */
  chooseSizes(): Promise<{ sizes: number[] }>;
  /** What a statement would be. Writes nothing. */
  draftStatement(order: CloseOrder): Promise<Draft>;
  /** Writes a statement, once. Null for an amendment without a difference. */
  closeStatement(order: CloseOrder & { expected: string | null }): Promise<ClosedStatement | null>;
  /** Runs that closed statements and whose histories are not kept yet. */
  closedRuns(): Promise<{ runs: ClosedRun[] }>;
}

/** Meters in the totals that an actor holds. */
const MAX_TOTALS = 50;
/** UTF-16 units of the tasks that one call gives: a result has at most 4 KiB. */
const MAX_TASKS_LENGTH = 2_500;
const TASKS_AT_ONCE = 50;
/** Likewise of the totals. */
const MAX_TOTALS_LENGTH = 2_500;
/** A period that should have been closed so long ago has lost its actor. */
const OVERDUE_MICROS = 24n * HOUR_MICROS;
const RUNS_AT_ONCE = 10;
/** Milliseconds between two signs that a call lives. */
const BEAT_MS = 3_000;

/** What no later attempt can mend: the actor drafts anew, or stops and says why. */
const FINAL = new Set([
  'statement_changed',
  'statement_too_large',
  'statement_out_of_turn',
  'period_unknown',
]);

export function createBillingActivities(deps: BillingDeps): BillingActivities {
  const { pool } = deps;
  return {
    scanPeriods: () => told(() => scanPeriods(deps)),
    periodTasks: ({ after }) => told(() => nextTasks(deps, after)),
    noteTold: ({ tasks }) =>
      told(() =>
        noteTold(
          pool,
          tasks.map(({ project_id, period, want }) => ({ projectId: project_id, period, want })),
        )
      ),
    lookAtPeriod: (name) => told(() => lookAtPeriod(deps, name)),
    chooseSizes: () => told(() => chooseSizes(deps)),
    draftStatement: (order) => told(() => draftStatement(deps, order, unlessCancelled)),
    closeStatement: ({ expected, ...order }) =>
      told(() => {
        const { workflowExecution } = Context.current().info;
        assert(workflowExecution !== undefined, 'a statement is closed by a workflow');
        const { workflowId, runId } = workflowExecution;
        const run = { workflowId, runId };
        return closeStatement(deps, order, { expected, run, progress: unlessCancelled });
      }),
    closedRuns: () =>
      told(async () => {
        const runs = await runsWithoutHistory(pool, { limit: RUNS_AT_ONCE });
        return { runs: runs.map((run) => ({ workflow_id: run.workflowId, run_id: run.runId })) };
      }),
  };
}

async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  const beating = setInterval(() => Context.current().heartbeat(), BEAT_MS);
  try {
    return await work();
  } catch (error) {
    throw ingestFailure(error, FINAL);
  } finally {
    clearInterval(beating);
  }
}

/** Ends a long call when it is cancelled. */
function unlessCancelled(): void {
  Context.current().cancellationSignal.throwIfAborted();
}

async function nextTasks(deps: BillingDeps, after: NamedPeriod | null): Promise<PeriodTasks> {
  const { graceSeconds } = await deps.billing();
  const now = toMicros(formatMillis(deps.nowMs()));
  const overdue = formatMicros(now - BigInt(graceSeconds) * 1_000_000n - OVERDUE_MICROS);
  const wanted = await wantedPeriods(deps.pool, {
    overdue,
    after: after === null ? null : { projectId: after.project_id, period: after.period },
    limit: TASKS_AT_ONCE,
  });
  const tasks: PeriodTask[] = [];
  let length = 0;
  for (const one of wanted) {
    const task = taskOf(one);
    length += JSON.stringify(task).length;
    if (tasks.length > 0 && length > MAX_TASKS_LENGTH) break;
    tasks.push(task);
  }
  const last = tasks.at(-1);
  const isLast = tasks.length === wanted.length && wanted.length < TASKS_AT_ONCE;
  return {
    tasks,
    after: last === undefined || isLast
      ? null
      : { project_id: last.project_id, period: last.period },
  };
}

function taskOf({ projectId, period, want }: WantedPeriod): PeriodTask {
  return { project_id: projectId, period, want, actor_id: billingPeriodId(projectId, period) };
}

async function lookAtPeriod(
  deps: BillingDeps,
  { project_id, period: name }: NamedPeriod,
): Promise<PeriodLook> {
  const period = await readBillingPeriod(deps.pool, project_id, name);
  if (period === null) {
    throw new NephoError(
      'period_unknown',
      `Cannot look at period '${name}': it was not opened for this project`,
      { context: { period: name } },
    );
  }
  const config = await deps.billing();
  const number = await latestStatementNumber(deps.pool, project_id, name);
  const end = toMicros(period.end);
  const { totals, left_out } = number !== null
    ? { totals: [], left_out: 0 }
    : await periodTotals(deps.pool, 'all', period, {
      rules: await deps.rules(),
      now: formatMillis(deps.nowMs()),
      limit: MAX_TOTALS,
    });
  return {
    start: period.start,
    end: period.end,
    zone: period.zone,
    closes_at: formatMicros(end + BigInt(config.graceSeconds) * 1_000_000n),
    sealed: await isSealedUntil(deps.pool, formatMicros(hourOf(end + HOUR_MICROS - 1n))),
    approval: ofProject(config.approval, project_id),
    statements: number === null ? 0 : number + 1,
    ...withinResult(
      totals.map(({ meter, usage_unit, quantity }) => ({ meter, usage_unit, quantity })),
      left_out,
    ),
  };
}

/** As many totals as a result may hold. */
function withinResult(
  totals: PeriodLook['totals'],
  leftOut: number,
): Pick<PeriodLook, 'totals' | 'left_out'> {
  let length = 0;
  const first = totals.slice(0, MAX_TOTALS).filter((total) => {
    length += JSON.stringify(total).length;
    return length <= MAX_TOTALS_LENGTH;
  });
  return { totals: first, left_out: leftOut + totals.length - first.length };
}

async function chooseSizes({ pool }: BillingDeps): Promise<{ sizes: number[] }> {
  const sizes: number[] = [];
  for (const { logId, size } of await resolveAsOf(pool)) {
    while (sizes.length < logId) sizes.push(0);
    sizes[logId] = size;
  }
  return { sizes };
}
