import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { listWindows, windowRevisions } from '../../db/window_list.ts';
import { carriedSamples, listWindowSamples } from '../../db/window_samples.ts';
import { asOfInput, checkpointsOutput, wireCheckpoints } from '../as_of_schema.ts';
import { apiError } from '../errors.ts';
import { SEALED_HOURS } from '../event_kinds.ts';
import { eventsOutput, sealedHourOutput } from '../event_schema.ts';
import { eventInput, followEvents } from '../event_stream.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { checkRange, seriesFilterInput } from '../sample_query_schema.ts';
import { scopeOf, viewerOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import { windowSampleOutput, wireWindowSample } from '../usage_explained.ts';
import { revisionInput, windowNameInput, windowOutput, wireWindow } from '../window_schema.ts';
import { nextCursorOutput, pageInput } from '../wire_schema.ts';

/** Sealed hours of single series: what usage, statements and proofs are made of. */
export const windowsRouter = router({
  /** The windows in force, hour by hour: `from` and `to` are first instants of hours. */
  list: tenantProcedure
    .input(z.object({ ...seriesFilterInput, ...pageInput }))
    .output(z.object({
      windows: z.array(windowOutput),
      next_cursor: nextCursorOutput,
      checkpoints: checkpointsOutput,
    }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, as_of, ...filters } = input;
      checkRange(filters);
      const query = {
        procedure: 'windows.list',
        filters: { ...filters, as_of, viewer: viewerOf(principal) },
      };
      const sizes = await resolveAsOf(deps.db.pool, as_of);
      const page = await listWindows(deps.db.pool, scopeOf(principal), {
        meter: filters.meter,
        resourceId: filters.resource_id,
        projectId: filters.project_id,
        userId: filters.user_id,
        source: filters.source,
        from: filters.from,
        to: filters.to,
      }, { limit, cursor: openCursor(query, cursor), sizes });
      return {
        windows: page.rows.map(wireWindow),
        next_cursor: bindCursor(query, page.nextCursor),
        checkpoints: wireCheckpoints(sizes),
      };
    }),

  /** All revisions of one window that were known: as it was sealed, and what late data made of it. */
  get: tenantProcedure
    .input(z.object({ ...windowNameInput, as_of: asOfInput.optional() }))
    .output(z.object({
      /** The last one is in force. */
      revisions: z.array(windowOutput),
      checkpoints: checkpointsOutput,
    }))
    .query(async ({ ctx: { deps, principal }, input: { as_of, ...name } }) => {
      const sizes = await resolveAsOf(deps.db.pool, as_of);
      const rows = await windowRevisions(deps.db.pool, scopeOf(principal), name, sizes);
      if (rows.length === 0) throw noWindow();
      return { revisions: rows.map(wireWindow), checkpoints: wireCheckpoints(sizes) };
    }),

  /** The samples that a window was computed from: of the revision in force unless one is given. */
  explain: tenantProcedure
    .input(z.object({ ...windowNameInput, revision: revisionInput.optional(), ...pageInput }))
    .output(z.object({
      window: windowOutput,
      /** What the window goes on from: the sample of its `carry`, if the database has it. */
      carried: z.array(windowSampleOutput),
      samples: z.array(windowSampleOutput),
      next_cursor: nextCursorOutput,
      /** Its samples were moved into an archive: what is missing here is there. */
      archived: z.boolean(),
    }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, revision, ...name } = input;
      const db = deps.db.pool;
      const query = {
        procedure: 'windows.explain',
        filters: { ...name, revision, viewer: viewerOf(principal) },
      };
      const storeCursor = openCursor(query, cursor);
      const rows = await windowRevisions(db, scopeOf(principal), name, await resolveAsOf(db));
      const window = revision === undefined
        ? rows.at(-1)
        : rows.find((row) => row.revision === revision);
      if (window === undefined) throw noWindow();
      const page = await listWindowSamples(db, window, { limit, cursor: storeCursor });
      const isFirst = storeCursor === null;
      return {
        window: wireWindow(window),
        carried: isFirst ? (await carriedSamples(db, window)).map(wireWindowSample) : [],
        samples: page.rows.map(wireWindowSample),
        next_cursor: bindCursor(query, page.nextCursor),
        archived: isFirst && window.count > 0 && page.rows.length === 0,
      };
    }),

  /** Hours as they are sealed, in the order of their log. */
  onSealed: tenantProcedure
    .input(z.object(eventInput))
    .output(eventsOutput(sealedHourOutput))
    .subscription(({ ctx, input, signal }) => followEvents({ ctx, signal }, SEALED_HOURS, input)),
});

export function noWindow(): Error {
  return apiError('not_found', 'Cannot find a sealed window of this series and hour');
}
