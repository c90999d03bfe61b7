import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { readSealEvents } from '../../db/log_events.ts';
import { listWindows, windowRevisions } from '../../db/window_list.ts';
import { asOfInput, checkpointsOutput, wireCheckpoints } from '../as_of_schema.ts';
import { apiError } from '../errors.ts';
import { eventsOutput, sealedHourOutput, wireSealedHour } from '../event_schema.ts';
import { eventInput, followEvents } from '../event_stream.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { scopeOf, viewerOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import { windowNameInput, windowOutput, wireWindow } from '../window_schema.ts';
import { idInput, nameInput, nextCursorOutput, pageInput, timeInput } from '../wire_schema.ts';

const filterInput = {
  meter: nameInput.optional(),
  resource_id: idInput.optional(),
  project_id: idInput.nullable().optional(),
  user_id: idInput.nullable().optional(),
  source: nameInput.optional(),
  /** First instants of hours: included, and excluded. */
  from: timeInput.optional(),
  to: timeInput.optional(),
  as_of: asOfInput.optional(),
};

/** Sealed hours of single series: what usage, statements and proofs are made of. */
export const windowsRouter = router({
  /** The windows in force, hour by hour. */
  list: tenantProcedure
    .input(z.object({ ...filterInput, ...pageInput }))
    .output(z.object({
      windows: z.array(windowOutput),
      next_cursor: nextCursorOutput,
      checkpoints: checkpointsOutput,
    }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { limit, cursor, as_of, ...filters } = input;
      if (filters.from !== undefined && filters.to !== undefined && filters.from >= filters.to) {
        throw apiError(
          'range_invalid',
          `Cannot read from ${filters.from} to ${filters.to}: nothing lies between`,
        );
      }
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

  /** Hours as they are sealed, in the order of their log. */
  onSealed: tenantProcedure
    .input(z.object(eventInput))
    .output(eventsOutput(sealedHourOutput))
    .subscription(({ ctx: { deps, streams, principal }, input, signal }) =>
      followEvents({ db: deps.db.pool, streams, principal, signal }, {
        procedure: 'windows.onSealed',
        read: readSealEvents,
        wire: wireSealedHour,
      }, input)
    ),
});

export function noWindow(): Error {
  return apiError('not_found', 'Cannot find a sealed window of this series and hour');
}
