import { z } from 'zod';
import { actorId, type ActorName, describeActor, signalActor } from '../actor_control.ts';
import { ACTOR_KINDS, actorOutput } from '../actor_schema.ts';
import { apiError } from '../errors.ts';
import { operatorProcedure, router } from '../trpc.ts';

const shardInput = z.object({ shard: z.int().min(0).max(8_191) });
const actorInput = shardInput.extend({ kind: z.enum(ACTOR_KINDS).default('ingest') });
const accepted = z.object({ actor_id: z.string(), accepted: z.literal(true) });

/** The actors of each shard: the one that brings the intake into its log, and the one that seals its hours.
 * Orders are signals: they are kept, and obeyed at the next batch, or round. */
export const actorsRouter = router({
  list: operatorProcedure
    .output(z.object({ actors: z.array(actorOutput) }))
    .query(async ({ ctx: { deps } }) => {
      const shards = Array.from({ length: deps.shards }, (_, shard) => shard);
      const names = ACTOR_KINDS.flatMap((kind) => shards.map((shard) => ({ kind, shard })));
      return { actors: await Promise.all(names.map((name) => describeActor(deps, name))) };
    }),

  describe: operatorProcedure
    .input(actorInput)
    .output(actorOutput)
    .query(async ({ ctx: { deps }, input }) => {
      requireShard(input.shard, deps.shards);
      return await describeActor(deps, input);
    }),

  pause: operatorProcedure
    .input(actorInput.extend({ reason: z.string().max(200).optional() }))
    .output(accepted)
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      requireShard(input.shard, deps.shards);
      const { kind, shard } = input;
      const reason = `${input.reason ?? 'paused'} (by ${principal.keyId})`;
      await signalActor(deps, { kind, shard }, { order: 'pause', reason });
      return acceptedBy(input);
    }),

  resume: operatorProcedure
    .input(actorInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps }, input }) => {
      requireShard(input.shard, deps.shards);
      await signalActor(deps, input, { order: 'resume' });
      return acceptedBy(input);
    }),

  drain: operatorProcedure
    .input(shardInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps }, input: { shard } }) => {
      requireShard(shard, deps.shards);
      const name = { kind: 'ingest', shard } as const;
      await signalActor(deps, name, { order: 'drain' });
      return acceptedBy(name);
    }),

  look: operatorProcedure
    .input(shardInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps }, input: { shard } }) => {
      requireShard(shard, deps.shards);
      const name = { kind: 'windows', shard } as const;
      await signalActor(deps, name, { order: 'look' });
      return acceptedBy(name);
    }),
});

function acceptedBy(name: ActorName): z.output<typeof accepted> {
  return { actor_id: actorId(name), accepted: true };
}

function requireShard(shard: number, shards: number): void {
  if (shard < shards) return;
  throw apiError('not_found', `Cannot find an actor of shard ${shard}: there are ${shards} shards`);
}
