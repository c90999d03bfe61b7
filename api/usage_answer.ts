import type { z } from 'zod';
import { type AsOf, type LogSizes, resolveAsOf } from '../db/as_of.ts';
import type { Queryable } from '../db/client.ts';
import { decodeCursor, encodeCursor } from '../db/cursor.ts';
import type { Scope } from '../db/scope.ts';
import { readUsage } from '../db/usage.ts';
import { openGaps } from '../db/usage_gaps.ts';
import { compareKeys } from '../db/usage_sums.ts';
import { volumesByGroup, type VolumesRequest } from '../db/usage_volumes.ts';
import { formatMicros } from '../meters/timestamp.ts';
import { wireCheckpoints } from './as_of_schema.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';
import { bindCursor, openCursor } from './pagination.ts';
import type { Principal } from './principal.ts';
import { scopeOf, viewerOf } from './tenancy.ts';
import { planUsage } from './usage_plan.ts';
import {
  conflictsOfKinds,
  fillWithZeros,
  type RowPercentiles,
  wireUsageRow,
} from './usage_rows.ts';
import type { UsageInput, usageOutput } from './usage_schema.ts';

/** Rows of all pages of one answer. */
export const MAX_USAGE_ROWS = 10_000;

export type WireUsage = z.output<typeof usageOutput>;

/** One page of an answer. */
export async function answerUsage(
  deps: Pick<ApiDeps, 'db' | 'usageRules'>,
  principal: Principal,
  input: UsageInput & { limit: number; cursor?: string | undefined },
): Promise<WireUsage> {
  const plan = planUsage(input);
  const { limit, cursor, ...question } = input;
  const query = {
    procedure: 'usage.query',
    filters: { ...question, viewer: viewerOf(principal) },
  };
  const place = readPlace(openCursor(query, cursor));
  const db = deps.db.pool;
  const sizes = await resolveAsOf(db, place?.asOf ?? input.as_of);
  const scope = scopeOf(principal);
  const range = { start: plan.bounds[0] ?? 0n, end: plan.bounds.at(-1) ?? 0n };
  const [{ sums, sealedUntil, late }, gaps, percentiles] = await Promise.all([
    readUsage(db, scope, { ...plan, sizes, rules: deps.usageRules, limit: MAX_USAGE_ROWS }),
    openGaps(db, scope, {
      meters: plan.filters.meters,
      range,
      sizes,
      isPast: input.as_of !== undefined,
    }),
    percentilesOfRows(db, scope, { ...plan, sizes }, input.percentiles),
  ]);
  const buckets = plan.bounds.length - 1;
  const rows = input.fill === 'none'
    ? sums
    : fillWithZeros(sums, { buckets, limit: MAX_USAGE_ROWS });
  if (rows === null) {
    throw apiError('too_many_groups', `Cannot give more than ${MAX_USAGE_ROWS} rows of usage`);
  }
  const ordered = rows === sums ? sums : rows.toSorted(compareKeys);
  const first = place?.offset ?? 0;
  const next = first + limit < ordered.length ? first + limit : null;
  const page = ordered.slice(first, first + limit);
  const options = {
    plan,
    sealedUntil,
    late,
    conflicts: conflictsOfKinds(sums),
    percentiles,
  };
  return {
    usage: page.map((one) => wireUsageRow(one, options)),
    next_cursor: bindCursor(query, next === null ? null : writePlace(sizes, next)),
    checkpoints: wireCheckpoints(sizes),
    sealed_until: sealedUntil === null ? null : formatMicros(sealedUntil),
    contains_unsealed: sealedUntil === null || range.end > sealedUntil || late.size > 0,
    open_gaps: {
      count: gaps.count,
      gaps: gaps.gaps.map(({ meters, resourceId, at, reason }) => ({
        meters,
        resource_id: resourceId,
        at,
        reason,
      })),
    },
  };
}

async function percentilesOfRows(
  db: Queryable,
  scope: Scope,
  request: VolumesRequest & { labels: readonly string[] },
  percents: readonly number[],
): Promise<RowPercentiles | undefined> {
  if (percents.length === 0) return undefined;
  if (request.labels.length > 0) {
    throw apiError('input_invalid', 'Cannot give percentiles by metadata: group by something else');
  }
  return { volumes: await volumesByGroup(db, scope, request), percents };
}

/**
 * Where a page begins: the answer at these sizes is always the same, so that its rows can be counted. All
 * pages are made from the checkpoints of the first.
 */
interface Place {
  asOf: AsOf;
  offset: number;
}

function writePlace(sizes: LogSizes, offset: number): string {
  const checkpoints = sizes.map(({ origin, size }) => [origin, size]);
  return encodeCursor('usage', [JSON.stringify(checkpoints), offset]);
}

function readPlace(cursor: string | null): Place | null {
  const key = decodeCursor('usage', cursor, ['string', 'number']);
  if (key === null) return null;
  const checkpoints = JSON.parse(String(key[0])) as [string, number][];
  return {
    asOf: { checkpoints: checkpoints.map(([origin, size]) => ({ origin, size })) },
    offset: Number(key[1]),
  };
}
