import { checkHealth, healthOutput } from '../health_checks.ts';
import { publicProcedure, router } from '../trpc.ts';

/** Whether the parts that the API needs answer. */
export const healthRouter = router({
  check: publicProcedure
    .output(healthOutput)
    .query(({ ctx }) => checkHealth(ctx.deps)),
});
