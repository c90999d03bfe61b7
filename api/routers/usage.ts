import { z } from 'zod';
import { router, tenantProcedure } from '../trpc.ts';
import { answerUsage } from '../usage_answer.ts';
import { usageInput, usageOutput } from '../usage_schema.ts';
import { pageInput } from '../wire_schema.ts';

/** What is billed: any range in any zone, exact, as it was known at any time. */
export const usageRouter = router({
  query: tenantProcedure
    .input(z.object({ ...usageInput, ...pageInput }))
    .output(usageOutput)
    .query(async ({ ctx: { deps, principal }, input }) =>
      await answerUsage(deps, principal, input)
    ),
});
