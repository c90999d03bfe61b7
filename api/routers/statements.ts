import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { type BillingPeriod, currentPeriod, readBillingPeriod } from '../../db/billing_periods.ts';
import { type LinePosition, lineWindowsOf } from '../../db/period_windows.ts';
import { periodTotals } from '../../db/period_totals.ts';
import {
  getStatement,
  latestStatement,
  listStatements,
  type StatementRow,
} from '../../db/statements.ts';
import { attemptsOf, deliveriesOf } from '../../db/webhooks.ts';
import { parseStatement } from '../../ledger/statement_document.ts';
import { encodeWindow } from '../../ledger/window_record.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { asOfInput, checkpointsOutput, wireCheckpoints } from '../as_of_schema.ts';
import type { ApiDeps } from '../deps.ts';
import { apiError } from '../errors.ts';
import { FINAL_STATEMENTS } from '../event_kinds.ts';
import { eventsOutput, finalStatementOutput } from '../event_schema.ts';
import { eventInput, followEvents } from '../event_stream.ts';
import { explainedLineOutput, explainLine } from '../line_explained.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import {
  approveStatement,
  describePeriodActor,
  orderPeriodActor,
  type PeriodOrder,
  resendWebhook,
} from '../period_control.ts';
import type { Principal } from '../principal.ts';
import { statementBundleOf } from '../statement_bundle.ts';
import {
  deliveryOutput,
  periodActorOutput,
  periodInput,
  periodTotalsOutput,
  statementHeadOutput,
  statementNameInput,
  statementOutput,
  wireStatementHead,
} from '../statement_schema.ts';
import { scopeOf, viewerOf } from '../tenancy.ts';
import { operatorProcedure, router, tenantProcedure } from '../trpc.ts';
import { digestInput, idInput, nextCursorOutput, pageInput, timeInput } from '../wire_schema.ts';

/** Meters in the totals of a period, and attempts that a delivery is shown with. */
const MAX_TOTALS = 1_000;
const ATTEMPTS_SHOWN = 50;

const operatorsPeriodInput = z.object({ project_id: idInput, period: periodInput });
const lineInput = z.int().min(0).max(1_000_000);
const reasonInput = z.string().min(1).max(300);
const orderedOutput = z.object({ actor_id: z.string(), accepted: z.literal(true) });

/** What projects used in their periods: what it comes to so far, and as it was closed and amended. */
export const statementsRouter = router({
  /** The period that ended last first. */
  list: tenantProcedure
    .input(z.object({
      project_id: idInput.optional(),
      period: periodInput.optional(),
      /** Of periods that touch this span. */
      from: timeInput.optional(),
      to: timeInput.optional(),
      as_of: asOfInput.optional(),
      ...pageInput,
    }))
    .output(z.object({
      statements: z.array(statementHeadOutput),
      next_cursor: nextCursorOutput,
      checkpoints: checkpointsOutput,
    }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, project_id, as_of, ...filters } = input;
      const { from, to } = filters;
      if (from !== undefined && to !== undefined && from >= to) {
        throw apiError('range_invalid', `Cannot list statements from ${from} to ${to}`);
      }
      const query = {
        procedure: 'statements.list',
        filters: { ...filters, as_of, project_id, viewer: viewerOf(principal) },
      };
      const known = await resolveAsOf(deps.db.pool, as_of);
      const page = await listStatements(
        deps.db.pool,
        scopeOf(principal),
        { ...filters, projectId: project_id, known },
        { limit, cursor: openCursor(query, cursor) },
      );
      return {
        statements: page.rows.map(wireStatementHead),
        next_cursor: bindCursor(query, page.nextCursor),
        checkpoints: wireCheckpoints(known),
      };
    }),

  /** The newest of its period unless a number is given. */
  get: tenantProcedure
    .input(z.object({ ...statementNameInput, number: statementNameInput.number.optional() }))
    .output(z.object({ head: statementHeadOutput, statement: statementOutput }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const row = await findStatement(deps, principal, input);
      return { head: wireStatementHead(row), statement: parseStatement(row.document) };
    }),

  /** Its evidence, for `verifyStatement`. */
  bundle: tenantProcedure
    .input(z.object({ ...statementNameInput, number: statementNameInput.number.optional() }))
    .output(z.object({ head: statementHeadOutput, bundle: z.string() }))
    .query(async ({ ctx: { deps, openLog, principal }, input }) => {
      const row = await findStatement(deps, principal, input);
      const { db: { pool }, archives } = deps;
      const bundle = await statementBundleOf({ db: pool, archives, openLog }, row, principal);
      return { head: wireStatementHead(row), bundle };
    }),

  /** The windows that a line sums, in the order of its root. */
  lineWindows: tenantProcedure
    .input(z.object({ ...statementNameInput, line: lineInput, ...pageInput }))
    .output(z.object({ windows: z.array(z.string()), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, line, ...name } = input;
      const query = {
        procedure: 'statements.lineWindows',
        filters: { ...name, line, viewer: viewerOf(principal) },
      };
      const row = await findStatement(deps, principal, name);
      const windows = await lineWindowsOf(
        { db: deps.db.pool, rules: deps.usageRules },
        { document: parseStatement(row.document), line },
        { limit: limit + 1, after: positionOf(openCursor(query, cursor)) },
      );
      if (windows === null) throw notFound('a line of this number');
      const page = windows.slice(0, limit);
      const last = page.at(-1);
      const next = windows.length > limit && last !== undefined
        ? JSON.stringify([last.series.key, last.record.start])
        : null;
      return {
        windows: page.map(({ record }) => encodeWindow(record)),
        next_cursor: bindCursor(query, next),
      };
    }),

  /** The windows that a line sums, each with what leads on to its samples. */
  explainLine: tenantProcedure
    .input(z.object({ ...statementNameInput, line: lineInput, ...pageInput }))
    .output(explainedLineOutput)
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, line, ...name } = input;
      const query = {
        procedure: 'statements.explainLine',
        filters: { ...name, line, viewer: viewerOf(principal) },
      };
      const { document } = await findStatement(deps, principal, name);
      const after = positionOf(openCursor(query, cursor));
      const explained = await explainLine(deps, { document, line }, { limit, after });
      if (explained === null) throw notFound('a line of this number');
      const { next, ...rest } = explained;
      const place = next === null ? null : JSON.stringify([next.key, next.start]);
      return { ...rest, next_cursor: bindCursor(query, place) };
    }),

  /** Statements and amendments as they become final, in the order of their log. */
  onFinal: tenantProcedure
    .input(z.object(eventInput))
    .output(eventsOutput(finalStatementOutput))
    .subscription(({ ctx, input, signal }) =>
      followEvents({ ctx, signal }, FINAL_STATEMENTS, input)
    ),

  /** The period to date, unsealed hours included; that of the present unless one is named. */
  totals: tenantProcedure
    .input(z.object({ project_id: idInput.optional(), period: periodInput.optional() }))
    .output(periodTotalsOutput)
    .query(async ({ ctx: { deps, principal }, input }) => {
      const projectId = projectOf(principal, input.project_id);
      const now = formatMillis(deps.now());
      if (principal.role === 'project' && projectId !== principal.projectId) throw noPeriod();
      const period = await findPeriod(deps, projectId, { period: input.period, now });
      const { totals, left_out, until, sealed_until } = await periodTotals(
        deps.db.pool,
        scopeOf(principal),
        period,
        { rules: deps.usageRules, now, limit: MAX_TOTALS },
      );
      return {
        project_id: projectId,
        period: period.period,
        start: period.start,
        end: period.end,
        zone: period.zone,
        until,
        sealed_until,
        contains_unsealed: sealed_until === null || sealed_until < until,
        totals,
        left_out,
      };
    }),

  /** Who was told of a statement, and what came of it. */
  deliveries: tenantProcedure
    .input(z.object(statementNameInput))
    .output(z.object({ deliveries: z.array(deliveryOutput) }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const row = await findStatement(deps, principal, input);
      const deliveries = await deliveriesOf(deps.db.pool, row);
      const ids = deliveries.map(({ deliveryId }) => deliveryId);
      const attempts = await attemptsOf(deps.db.pool, ids, { limit: ATTEMPTS_SHOWN });
      return {
        deliveries: deliveries.map((delivery) => ({
          delivery_id: delivery.deliveryId,
          endpoint: delivery.endpoint,
          event: delivery.event,
          status: delivery.status,
          created_at: delivery.createdAt,
          ended_at: delivery.endedAt,
          attempts: attempts.filter(({ deliveryId }) => deliveryId === delivery.deliveryId)
            .map((attempt) => ({
              attempt: attempt.attempt,
              started_at: attempt.startedAt,
              milliseconds: attempt.milliseconds,
              status_code: attempt.statusCode,
              failure: attempt.failure,
              // Names of machines, perhaps.
              detail: principal.role === 'operator' ? attempt.detail : null,
            })),
        })),
      };
    }),

  /** Sends a webhook again, with the `webhook-id` that it always had. */
  resend: operatorProcedure
    .input(z.object({
      project_id: idInput,
      period: periodInput,
      number: statementNameInput.number,
      endpoint: z.string().min(1).max(64),
    }))
    .output(z.object({ delivery_id: z.string(), accepted: z.literal(true) }))
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      const row = await findStatement(deps, principal, input);
      const deliveries = await deliveriesOf(deps.db.pool, row);
      const found = deliveries.find(({ endpoint }) => endpoint === input.endpoint);
      if (found === undefined) throw notFound('a delivery to this endpoint');
      await resendWebhook(deps, found.deliveryId);
      return { delivery_id: found.deliveryId, accepted: true };
    }),

  /** What the actor of a period is doing, and the draft that waits for approval. */
  actor: operatorProcedure
    .input(operatorsPeriodInput)
    .output(periodActorOutput)
    .query(async ({ ctx: { deps }, input }) =>
      await describePeriodActor(deps, { projectId: input.project_id, period: input.period })
    ),

  /** Approves the draft of this digest: it is then closed as it is. */
  approve: operatorProcedure
    .input(operatorsPeriodInput.extend({ number: statementNameInput.number, digest: digestInput }))
    .output(z.object({ number: z.int(), digest: z.string(), accepted: z.literal(true) }))
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      const { project_id, period, number, digest } = input;
      await approveStatement(deps, { projectId: project_id, period }, { number, digest });
      deps.log.info('statement_approved', { period, number, digest, by: principal.keyId });
      return { number, digest, accepted: true };
    }),

  /** Refuses the draft that waits: nothing is closed until it is approved, or made anew by `resume`. */
  reject: operatorProcedure
    .input(operatorsPeriodInput.extend({ reason: reasonInput }))
    .output(orderedOutput)
    .mutation(async ({ ctx: { deps, principal }, input }) =>
      await ordered(deps, input, {
        order: 'reject',
        reason: `${input.reason} (by ${principal.keyId})`,
      })
    ),

  pause: operatorProcedure
    .input(operatorsPeriodInput.extend({ reason: reasonInput.optional() }))
    .output(orderedOutput)
    .mutation(async ({ ctx: { deps, principal }, input }) =>
      await ordered(deps, input, {
        order: 'pause',
        reason: `${input.reason ?? 'paused'} (by ${principal.keyId})`,
      })
    ),

  /** Also has a rejected draft made anew. */
  resume: operatorProcedure
    .input(operatorsPeriodInput)
    .output(orderedOutput)
    .mutation(async ({ ctx: { deps }, input }) => await ordered(deps, input, { order: 'resume' })),
});

async function ordered(
  deps: ApiDeps,
  { project_id, period }: { project_id: string; period: string },
  order: PeriodOrder,
): Promise<z.output<typeof orderedOutput>> {
  const actorId = await orderPeriodActor(deps, { projectId: project_id, period }, order);
  return { actor_id: actorId, accepted: true };
}

/** The one named, which may be another's and is then not found; else that of the key. */
function projectOf(principal: Principal, named: string | undefined): string {
  if (named !== undefined) return named;
  if (principal.role === 'project') return principal.projectId;
  throw apiError('input_invalid', "Cannot tell whose statement is asked for: add 'project_id'");
}

async function findStatement(
  deps: ApiDeps,
  principal: Principal,
  name: { project_id?: string | undefined; period: string; number?: number | undefined },
): Promise<StatementRow> {
  const { period, number } = name;
  const projectId = projectOf(principal, name.project_id);
  const scope = scopeOf(principal);
  const row = number === undefined
    ? await latestStatement(deps.db.pool, scope, { projectId, period })
    : await getStatement(deps.db.pool, scope, { projectId, period, number });
  if (row === null) throw notFound('a statement of this name');
  return row;
}

async function findPeriod(
  { db: { pool } }: ApiDeps,
  projectId: string,
  { period, now }: { period: string | undefined; now: string },
): Promise<BillingPeriod> {
  const found = period === undefined
    ? await currentPeriod(pool, projectId, now)
    : await readBillingPeriod(pool, projectId, period);
  if (found === null) throw noPeriod();
  return found;
}

function positionOf(cursor: string | null): LinePosition | null {
  if (cursor === null) return null;
  const [key, start] = JSON.parse(cursor) as [string, string];
  return { key, start };
}

function noPeriod(): Error {
  return notFound('a period in which anything was sealed');
}

function notFound(what: string): Error {
  return apiError('not_found', `Cannot find ${what}`);
}
