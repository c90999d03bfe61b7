import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { statistics, STATISTICS_GROUPS } from '../../db/statistics.ts';
import { checkpointsOutput, wireCheckpoints } from '../as_of_schema.ts';
import { sampleFilterInput, sampleFilters } from '../sample_query_schema.ts';
import { scopeOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import { countOutput, meterTypeOutput, timeOutput } from '../wire_schema.ts';

const groupInput = z.enum(STATISTICS_GROUPS);

const statisticsOutput = z.object({
  /** The values of `group_by`. */
  group: z.partialRecord(groupInput, z.string().nullable()),
  type: meterTypeOutput,
  unit: z.string(),
  count: countOutput,
  sum: z.string(),
  min: z.string(),
  max: z.string(),
  /** The mean of the samples, not weighted by time; ties to even at 12 decimals. */
  avg: z.string(),
  /** Seconds from the first sample to the last. */
  duration: z.string(),
  duration_start: timeOutput,
  duration_end: timeOutput,
  period_start: timeOutput,
  period_end: timeOutput,
});

/** Counts, sums and extremes of samples: one row for each group, period, type and unit. */
export const statisticsRouter = router({
  query: tenantProcedure
    .input(z.object({
      ...sampleFilterInput,
      group_by: z.array(groupInput).max(STATISTICS_GROUPS.length).default([]),
      /** Without it there is one period, from the first sample to the last. */
      period_seconds: z.int().min(1).max(100 * 366 * 86_400).optional(),
    }))
    .output(z.object({ statistics: z.array(statisticsOutput), checkpoints: checkpointsOutput }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const sizes = await resolveAsOf(deps.db.pool, input.as_of);
      const filters = sampleFilters(input, sizes);
      const rows = await statistics(deps.db.pool, scopeOf(principal), filters, {
        groupBy: input.group_by,
        periodSeconds: input.period_seconds,
      });
      return {
        statistics: rows.map((row) => ({
          group: row.group,
          type: row.type,
          unit: row.unit,
          count: row.count,
          sum: row.sum,
          min: row.min,
          max: row.max,
          avg: row.avg,
          duration: row.duration,
          duration_start: row.durationStart,
          duration_end: row.durationEnd,
          period_start: row.periodStart,
          period_end: row.periodEnd,
        })),
        checkpoints: wireCheckpoints(sizes),
      };
    }),
});
