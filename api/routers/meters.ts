import { z } from 'zod';
import { listMeters } from '../../db/meters.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { scopeOf, viewerOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import {
  countOutput,
  idInput,
  meterTypeOutput,
  nameInput,
  nextCursorOutput,
  pageInput,
} from '../wire_schema.ts';

const meterOutput = z.object({
  meter: z.string(),
  type: meterTypeOutput,
  unit: z.string(),
  series: countOutput,
  resources: countOutput,
  projects: countOutput,
});

/** Meters that have samples. A name with several types or units has a row for each. */
export const metersRouter = router({
  list: tenantProcedure
    .input(z.object({
      meter: nameInput.optional(),
      resource_id: idInput.optional(),
      project_id: idInput.nullable().optional(),
      user_id: idInput.nullable().optional(),
      source: nameInput.optional(),
      ...pageInput,
    }))
    .output(z.object({ meters: z.array(meterOutput), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, ...filters } = input;
      const query = {
        procedure: 'meters.list',
        filters: { ...filters, viewer: viewerOf(principal) },
      };
      const page = await listMeters(deps.db.pool, scopeOf(principal), {
        meter: filters.meter,
        resourceId: filters.resource_id,
        projectId: filters.project_id,
        userId: filters.user_id,
        source: filters.source,
      }, { limit, cursor: openCursor(query, cursor) });
      return { meters: page.rows, next_cursor: bindCursor(query, page.nextCursor) };
    }),
});
