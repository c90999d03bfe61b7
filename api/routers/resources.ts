import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { listResources, type Resource } from '../../db/resources.ts';
import { checkpointsOutput, wireCheckpoints } from '../as_of_schema.ts';
import { apiError } from '../errors.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { filtersOf, sampleFilters, seriesFilterInput } from '../sample_query_schema.ts';
import { scopeOf, viewerOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import {
  idInput,
  metadataOutput,
  nextCursorOutput,
  pageInput,
  timeOutput,
} from '../wire_schema.ts';

const resourceOutput = z.object({
  resource_id: z.string(),
  /** Project, user, source and metadata are those of the last sample. */
  project_id: z.string().nullable(),
  user_id: z.string().nullable(),
  source: z.string(),
  meters: z.array(z.string()),
  /** Timestamps of its first and last sample. */
  first_timestamp: timeOutput,
  last_timestamp: timeOutput,
  metadata: metadataOutput,
});

/** Resources that have samples. */
export const resourcesRouter = router({
  list: tenantProcedure
    .input(z.object({ ...seriesFilterInput, ...pageInput }))
    .output(z.object({
      resources: z.array(resourceOutput),
      next_cursor: nextCursorOutput,
      checkpoints: checkpointsOutput,
    }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, ...filters } = input;
      const query = {
        procedure: 'resources.list',
        filters: { ...filtersOf(filters), viewer: viewerOf(principal) },
      };
      const sizes = await resolveAsOf(deps.db.pool, filters.as_of);
      const page = await listResources(
        deps.db.pool,
        scopeOf(principal),
        sampleFilters(filters, sizes),
        { limit, cursor: openCursor(query, cursor) },
      );
      return {
        resources: page.rows.map(wireResource),
        next_cursor: bindCursor(query, page.nextCursor),
        checkpoints: wireCheckpoints(sizes),
      };
    }),

  get: tenantProcedure
    .input(z.object({ resource_id: idInput }))
    .output(resourceOutput)
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { rows: [found] } = await listResources(
        deps.db.pool,
        scopeOf(principal),
        { resourceId: input.resource_id },
        { limit: 1 },
      );
      if (found === undefined) throw apiError('not_found', 'Cannot find a resource of this id');
      return wireResource(found);
    }),
});

function wireResource(row: Resource): z.output<typeof resourceOutput> {
  return {
    resource_id: row.resourceId,
    project_id: row.projectId,
    user_id: row.userId,
    source: row.source,
    meters: row.meters,
    first_timestamp: row.firstTimestamp,
    last_timestamp: row.lastTimestamp,
    metadata: row.metadata,
  };
}
