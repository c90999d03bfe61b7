import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { readOrigin } from '../../db/origins.ts';
import { listSamples } from '../../db/sample_list.ts';
import { getSample } from '../../db/samples.ts';
import { assert } from '../../meters/assert.ts';
import { checkpointsOutput, wireCheckpoints } from '../as_of_schema.ts';
import { apiError } from '../errors.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { filtersOf, sampleFilterInput, sampleFilters } from '../sample_query_schema.ts';
import { scopeOf, viewerOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import { explainUsage, sampleUsageOutput } from '../usage_explained.ts';
import {
  countOutput,
  nextCursorOutput,
  pageInput,
  sampleIdInput,
  sampleOutput,
  timeInput,
  timeOutput,
} from '../wire_schema.ts';

/** `timestamp`, if the caller knows it, saves looking into every month. */
const sampleInput = z.object({ id: sampleIdInput, timestamp: timeInput.optional() });

const explanationOutput = z.object({
  sample: sampleOutput,
  /** The notification that it was made from, and its ordinal among those of its meter and resource. */
  origin: z.object({
    id: z.string(),
    index: countOutput,
    event_type: z.string().nullable(),
    received_at: timeOutput,
    /** How often the same notification came again; that changed nothing. */
    redelivered: countOutput,
  }),
  /** The rules that made it, by the digest that the log recorded. */
  definitions: z.object({
    digest: z.string(),
    /** The rule, or those of which one it must have been; `definitions.get` has the text. */
    rules: z.array(z.object({ name: z.string(), file: z.string(), line: countOutput })),
  }),
  /** Its place in the log: `receipts.entry` proves it. */
  log: z.object({ log_id: countOutput, leaf_index: countOutput }),
  /** Where it counts, or why it counts nowhere yet. */
  usage: sampleUsageOutput,
});

/** Single readings, as they were signed. */
export const samplesRouter = router({
  list: tenantProcedure
    .input(z.object({
      ...sampleFilterInput,
      /** By timestamp, then by place in the log. */
      order: z.enum(['newest', 'oldest']).default('newest'),
      ...pageInput,
    }))
    .output(z.object({
      samples: z.array(sampleOutput),
      next_cursor: nextCursorOutput,
      checkpoints: checkpointsOutput,
    }))
    .query(async ({ ctx: { deps, principal }, input }) => {
      const { order, limit } = input;
      const query = {
        procedure: 'samples.list',
        filters: { ...filtersOf(input), order, viewer: viewerOf(principal) },
      };
      const sizes = await resolveAsOf(deps.db.pool, input.as_of);
      const page = await listSamples(
        deps.db.pool,
        scopeOf(principal),
        sampleFilters(input, sizes),
        { order, limit, cursor: openCursor(query, input.cursor) },
      );
      return {
        samples: page.rows.map(({ sample }) => sample),
        next_cursor: bindCursor(query, page.nextCursor),
        checkpoints: wireCheckpoints(sizes),
      };
    }),

  get: tenantProcedure
    .input(sampleInput)
    .output(sampleOutput)
    .query(async ({ ctx: { deps, principal }, input: { id, timestamp } }) => {
      const found = await getSample(deps.db.pool, scopeOf(principal), id, { timestamp });
      if (found === null) throw noSample();
      return found.sample;
    }),

  /** Where a sample comes from, and where it stands. */
  explain: tenantProcedure
    .input(sampleInput)
    .output(explanationOutput)
    .query(async ({ ctx: { deps, findRules, principal }, input: { id, timestamp } }) => {
      const found = await getSample(deps.db.pool, scopeOf(principal), id, { timestamp });
      if (found === null) throw noSample();
      const { sample, index, definitions, logId, leafIndex } = found;
      const origin = await readOrigin(deps.db.pool, sample.source, found.origin);
      const eventType = origin?.eventType ?? '';
      const rules = await findRules({ digest: definitions, eventType, meter: sample.meter });
      const [usage] = await explainUsage(deps.db.pool, [found]);
      assert(usage !== undefined, 'each sample is explained');
      return {
        sample,
        origin: {
          id: found.origin,
          index,
          event_type: origin?.eventType ?? null,
          received_at: origin?.receivedAt ?? sample.recorded_at,
          redelivered: origin?.redelivered ?? 0,
        },
        definitions: { digest: definitions, rules },
        log: { log_id: logId, leaf_index: leafIndex },
        usage,
      };
    }),
});

function noSample(): Error {
  return apiError('not_found', 'Cannot find a sample of this id');
}
