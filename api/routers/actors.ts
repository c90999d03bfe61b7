import { z } from 'zod';
import { describeActor, signalActor } from '../actor_control.ts';
import { actorOutput } from '../actor_schema.ts';
import { apiError } from '../errors.ts';
import { ingestShardId } from '../../temporal.config.ts';
import { operatorProcedure, router } from '../trpc.ts';

const actorInput = z.object({ shard: z.int().min(0).max(8_191) });
const accepted = z.object({ actor_id: z.string(), accepted: z.literal(true) });

/** The actors that bring the intake into the logs, one a shard. Orders are signals: they are kept, and
 * obeyed at the next batch. */
export const actorsRouter = router({
  list: operatorProcedure
    .output(z.object({ actors: z.array(actorOutput) }))
    .query(async ({ ctx: { deps } }) => {
      const shards = Array.from({ length: deps.shards }, (_, shard) => shard);
      return { actors: await Promise.all(shards.map((shard) => describeActor(deps, shard))) };
    }),

  describe: operatorProcedure
    .input(actorInput)
    .output(actorOutput)
    .query(async ({ ctx: { deps }, input }) => {
      requireShard(input.shard, deps.shards);
      return await describeActor(deps, input.shard);
    }),

  pause: operatorProcedure
    .input(actorInput.extend({ reason: z.string().max(200).optional() }))
    .output(accepted)
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      requireShard(input.shard, deps.shards);
      const reason = `${input.reason ?? 'paused'} (by ${principal.keyId})`;
      return await order(() => signalActor(deps, input.shard, { order: 'pause', reason }), input);
    }),

  resume: operatorProcedure
    .input(actorInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps }, input }) => {
      requireShard(input.shard, deps.shards);
      return await order(() => signalActor(deps, input.shard, { order: 'resume' }), input);
    }),

  drain: operatorProcedure
    .input(actorInput)
    .output(accepted)
    .mutation(async ({ ctx: { deps }, input }) => {
      requireShard(input.shard, deps.shards);
      return await order(() => signalActor(deps, input.shard, { order: 'drain' }), input);
    }),
});

async function order(
  send: () => Promise<void>,
  { shard }: { shard: number },
): Promise<z.output<typeof accepted>> {
  await send();
  return { actor_id: ingestShardId(shard), accepted: true };
}

function requireShard(shard: number, shards: number): void {
  if (shard < shards) return;
  throw apiError('not_found', `Cannot find an actor of shard ${shard}: there are ${shards} shards`);
}
