import { z } from 'zod';
import { REVISED_USAGE } from '../event_kinds.ts';
import { eventsOutput, revisedUsageOutput } from '../event_schema.ts';
import { eventInput, followEvents } from '../event_stream.ts';
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

  /** Sealed hours as late data corrects them, in the order of their log. */
  onRevised: tenantProcedure
    .input(z.object(eventInput))
    .output(eventsOutput(revisedUsageOutput))
    .subscription(({ ctx, input, signal }) => followEvents({ ctx, signal }, REVISED_USAGE, input)),
});
