import { z } from 'zod';
import { listCoverage, listGaps } from '../../db/coverage.ts';
import { GAP_REASONS } from '../../meters/poll_gap.ts';
import { apiError } from '../errors.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { coverageOutput, gapOutput } from '../source_schema.ts';
import { operatorProcedure, router } from '../trpc.ts';
import { nameInput, nextCursorOutput, pageInput, timeInput } from '../wire_schema.ts';

const filtersInput = {
  cloud: nameInput.optional(),
  source: nameInput.optional(),
  meter: nameInput.optional(),
  from: timeInput.optional(),
  to: timeInput.optional(),
};

/** What was expected of polling and what of it is there. An operator's alone. */
export const coverageRouter = router({
  list: operatorProcedure
    .input(z.object({ ...filtersInput, ...pageInput }))
    .output(z.object({ rows: z.array(coverageOutput), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps }, input }) => {
      const { limit, cursor, ...filters } = input;
      checkRange(filters);
      const query = { procedure: 'coverage.list', filters };
      const page = await listCoverage(deps.db.pool, filters, {
        limit,
        cursor: openCursor(query, cursor),
      });
      return { rows: page.rows, next_cursor: bindCursor(query, page.nextCursor) };
    }),

  gaps: operatorProcedure
    .input(z.object({
      ...filtersInput,
      reason: z.enum(GAP_REASONS).optional(),
      open: z.boolean().optional(),
      ...pageInput,
    }))
    .output(z.object({ gaps: z.array(gapOutput), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps }, input }) => {
      const { limit, cursor, ...filters } = input;
      checkRange(filters);
      const query = { procedure: 'coverage.gaps', filters };
      const page = await listGaps(deps.db.pool, filters, {
        limit,
        cursor: openCursor(query, cursor),
      });
      return {
        gaps: page.rows.map((gap) => ({
          cloud: gap.cloud,
          source: gap.source,
          group: gap.group,
          cycle: gap.cycle,
          pollster: gap.pollster,
          unit: gap.unit,
          units: gap.units,
          meters: gap.meters,
          reason: gap.reason,
          detail: gap.detail,
          recorded_at: gap.recordedAt,
          repaired_at: gap.repairedAt,
          carried_by: gap.carriedBy,
        })),
        next_cursor: bindCursor(query, page.nextCursor),
      };
    }),
});

function checkRange({ from, to }: { from?: string | undefined; to?: string | undefined }): void {
  if (from === undefined || to === undefined || from < to) return;
  throw apiError('range_invalid', `Cannot read the coverage from ${from} to ${to}`);
}
