import { type LogSizes, resolveAsOf } from '../db/as_of.ts';
import { readUsage } from '../db/usage.ts';
import { usageKinds } from '../db/usage_kinds.ts';
import type { ApiDeps } from './deps.ts';
import type { Principal } from './principal.ts';
import { scopeOf } from './tenancy.ts';
import { planUsage, type UsagePlan } from './usage_plan.ts';
import { conflictsOfKinds, type WireUsageRow, wireUsageRow } from './usage_rows.ts';
import type { UsageInput } from './usage_schema.ts';

/** Rows of one slice: so many are in memory at once. A single span may not have more. */
const MAX_SLICE_ROWS = 200_000;
/** A slice of fewer rows than this is followed by one of twice as many spans. */
const SMALL_SLICE_ROWS = 2_000;

export interface UsageExport {
  readonly sizes: LogSizes;
  /** The keys of each row's `group`, in their order. */
  readonly groupNames: readonly string[];
  /** Slices of the range, each once it is asked for; the first is there already. */
  readonly slices: AsyncGenerator<WireUsageRow[], void, undefined>;
}

/**
 * All rows of a question, slice by slice of its range, each computed when it is read: whoever reads sets the
 * pace. All are made from the same checkpoints.
 *
 * @throws {NephoError} what `planUsage` and `readUsage` throw; of the first slice before anything is given
 */
export async function exportUsage(
  deps: Pick<ApiDeps, 'db' | 'usageRules'>,
  principal: Principal,
  input: UsageInput,
): Promise<UsageExport> {
  const plan = planUsage(input);
  const db = deps.db.pool;
  const scope = scopeOf(principal);
  const sizes = await resolveAsOf(db, input.as_of);
  const conflicts = conflictsOfKinds(await usageKinds(db, scope, plan.filters));
  const read = async (slice: UsagePlan): Promise<WireUsageRow[]> => {
    const { sums, sealedUntil, late } = await readUsage(db, scope, {
      ...slice,
      sizes,
      rules: deps.usageRules,
      limit: MAX_SLICE_ROWS,
    });
    return sums.map((one) => wireUsageRow(one, { plan: slice, sealedUntil, late, conflicts }));
  };
  const first = await read(sliceOf(plan, 0, 1));
  return { sizes, groupNames: plan.groupNames, slices: slicesOf(plan, first, read) };
}

async function* slicesOf(
  plan: UsagePlan,
  first: WireUsageRow[],
  read: (slice: UsagePlan) => Promise<WireUsageRow[]>,
): AsyncGenerator<WireUsageRow[], void, undefined> {
  yield first;
  const spans = plan.bounds.length - 1;
  let width = 1;
  for (let from = 1; from < spans;) {
    const to = Math.min(spans, from + width);
    const rows = await read(sliceOf(plan, from, to));
    yield rows;
    from = to;
    if (rows.length < SMALL_SLICE_ROWS) width *= 2;
    else if (rows.length > 4 * SMALL_SLICE_ROWS) width = Math.max(1, Math.floor(width / 2));
  }
}

function sliceOf(plan: UsagePlan, from: number, to: number): UsagePlan {
  return { ...plan, bounds: plan.bounds.slice(from, to + 1) };
}
