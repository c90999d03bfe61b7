import { z } from 'zod';
import { listPollSources, type PollSource, readPollSource } from '../../db/poll_sources.ts';
import { phaseSeconds, pollScheduleId } from '../../meters/poll_schedule.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import type { ApiDeps } from '../deps.ts';
import { apiError } from '../errors.ts';
import { startBackfill } from '../poll_backfill.ts';
import {
  describeSchedule,
  orderSchedule,
  type ScheduleOrder,
  schedulesOf,
} from '../poll_schedules.ts';
import { applySources, planSources } from '../source_plan.ts';
import {
  planOutput,
  type SourceAnswer,
  sourceNameInput,
  sourceOutput,
  sourceSpecInput,
} from '../source_schema.ts';
import { operatorProcedure, router } from '../trpc.ts';
import { timeInput } from '../wire_schema.ts';

const MAX_SOURCES = 1_000;

const wantedInput = z.object({ sources: z.array(sourceSpecInput).max(MAX_SOURCES) });
const accepted = z.object({ schedules: z.array(z.string()) });

/** What is polled, how often, and the Schedules that see to it. An operator's alone. */
export const sourcesRouter = router({
  plan: operatorProcedure
    .input(wantedInput)
    .output(planOutput)
    .query(async ({ ctx: { deps }, input }) =>
      await planSources({ db: deps.db, schedules: schedulesOf(deps) }, input.sources)
    ),

  // tRPC keeps the word apply to itself.
  applyPlan: operatorProcedure
    .input(wantedInput)
    .output(planOutput)
    .mutation(async ({ ctx: { deps }, input }) => {
      const parts = { db: deps.db, schedules: schedulesOf(deps), now: formatMillis(deps.now()) };
      return await applySources(parts, input.sources);
    }),

  list: operatorProcedure
    .output(z.object({ sources: z.array(sourceOutput) }))
    .query(async ({ ctx: { deps } }) => {
      const sources: SourceAnswer[] = [];
      for (const source of await listPollSources(deps.db.pool)) {
        sources.push(await describeSource(deps, source));
      }
      return { sources };
    }),

  describe: operatorProcedure
    .input(sourceNameInput)
    .output(sourceOutput)
    .query(async ({ ctx: { deps }, input }) =>
      await describeSource(deps, await sourceInForce(deps, input))
    ),

  pause: operatorProcedure
    .input(sourceNameInput.extend({ reason: z.string().max(200).optional() }))
    .output(accepted)
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      const note = `${input.reason ?? 'paused'} (by ${principal.keyId})`;
      return await order(deps, input, { order: 'pause', note });
    }),

  resume: operatorProcedure
    .input(sourceNameInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps, principal }, input }) =>
      await order(deps, input, { order: 'resume', note: `resumed (by ${principal.keyId})` })
    ),

  trigger: operatorProcedure
    .input(sourceNameInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps }, input }) => await order(deps, input, { order: 'trigger' })),

  backfill: operatorProcedure
    .input(sourceNameInput.extend({ from: timeInput, to: timeInput }))
    .output(z.object({ workflows: z.array(z.string()) }))
    .mutation(async ({ ctx: { deps }, input }) => {
      if (input.from >= input.to) {
        throw apiError('range_invalid', `Cannot repair from ${input.from} to ${input.to}`);
      }
      const { groups } = await sourceInForce(deps, input);
      return { workflows: await startBackfill(deps, input, groups) };
    }),
});

async function describeSource(deps: ApiDeps, source: PollSource): Promise<SourceAnswer> {
  const groups: SourceAnswer['groups'] = [];
  for (let group = 0; group < source.groups; group += 1) {
    const name = { cloud: source.cloud, source: source.name, group };
    const status = await describeSchedule(schedulesOf(deps), name);
    groups.push({
      schedule_id: pollScheduleId(name),
      paused: status?.paused ?? null,
      note: status?.note ?? null,
      phase_seconds: phaseSeconds(name, source.intervalSeconds),
      last_run: status?.lastRun ?? null,
      next_run: status?.nextRun ?? null,
      skipped_overlap: status?.skippedOverlap ?? 0,
      missed_catchup: status?.missedCatchup ?? 0,
    });
  }
  return {
    cloud: source.cloud,
    source: source.name,
    interval_seconds: source.intervalSeconds,
    digest: source.digest,
    applied_at: source.appliedAt,
    spec: source.spec,
    groups,
  };
}

async function sourceInForce(
  deps: ApiDeps,
  { cloud, source }: { cloud: string; source: string },
): Promise<PollSource> {
  const found = await readPollSource(deps.db.pool, cloud, source);
  if (found !== null) return found;
  throw apiError('not_found', `Cannot find a source '${source}' of the cloud '${cloud}' in force`);
}

async function order(
  deps: ApiDeps,
  name: { cloud: string; source: string },
  given: ScheduleOrder,
): Promise<z.output<typeof accepted>> {
  const { cloud, source } = name;
  const { groups } = await sourceInForce(deps, name);
  const schedules: string[] = [];
  for (let group = 0; group < groups; group += 1) {
    const one = { cloud, source, group };
    if (await orderSchedule(schedulesOf(deps), one, given)) schedules.push(pollScheduleId(one));
  }
  if (schedules.length > 0) return { schedules };
  throw apiError(
    'not_found',
    `Cannot ${given.order} '${source}' of '${cloud}': Temporal has no Schedule of it, run 'nepho sources apply'`,
  );
}
