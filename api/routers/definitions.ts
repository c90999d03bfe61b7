import { z } from 'zod';
import {
  definitionSetInForce,
  findDefinitionSet,
  listDefinitionSets,
} from '../../db/definition_sets.ts';
import { describeActor } from '../actor_control.ts';
import { apiError } from '../errors.ts';
import { operatorProcedure, router, tenantProcedure } from '../trpc.ts';
import { countOutput, digestInput, timeOutput } from '../wire_schema.ts';

const fileName = z.object({ name: z.string(), sha256: z.string() });
const setOutput = z.object({
  digest: z.string(),
  first_seen: timeOutput,
  files: z.array(fileName),
});

/** The rules by which samples are made. Every sample names the set that made it. */
export const definitionsRouter = router({
  /** The set that each log's newest `definitions` entry names. */
  current: tenantProcedure
    .output(z.object({
      logs: z.array(z.object({
        log_id: countOutput,
        leaf_index: countOutput,
        recorded_at: timeOutput,
        digest: z.string(),
      })),
    }))
    .query(async ({ ctx: { deps } }) => ({ logs: await definitionSetInForce(deps.db.pool) })),

  list: tenantProcedure
    .output(z.object({ sets: z.array(setOutput) }))
    .query(async ({ ctx: { deps } }) => ({ sets: await listDefinitionSets(deps.db.pool) })),

  /** The whole text of a set, as it stood when it came into force. */
  get: operatorProcedure
    .input(z.object({ digest: digestInput }))
    .output(setOutput.extend({ files: z.array(fileName.extend({ text: z.string() })) }))
    .query(async ({ ctx: { deps }, input }) => {
      const set = await findDefinitionSet(deps.db.pool, input.digest);
      if (set === null) throw apiError('not_found', 'Cannot find a definition set of this digest');
      return set;
    }),

  /** Whether the newest files are in force, shard by shard, as its last leg of ingest said. */
  reloadStatus: operatorProcedure
    .output(z.object({
      shards: z.array(z.object({
        shard: countOutput,
        digest: z.string().nullable(),
        /** Why newer files are not in force, null if they are. */
        fault: z.string().nullable(),
        as_of: timeOutput.nullable(),
      })),
    }))
    .query(async ({ ctx: { deps } }) => {
      const shards = Array.from({ length: deps.shards }, (_, shard) => shard);
      const actors = await Promise.all(
        shards.map((shard) => describeActor(deps, { kind: 'ingest', shard })),
      );
      return {
        shards: actors.map(({ shard, last_receipt }) => ({
          shard,
          digest: last_receipt?.definitions ?? null,
          fault: last_receipt?.definitions_fault ?? null,
          as_of: last_receipt?.ended_at ?? null,
        })),
      };
    }),
});
