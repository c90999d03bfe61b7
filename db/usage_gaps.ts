import { formatMicros } from '../meters/timestamp.ts';
import type { Span } from '../meters/zone.ts';
import type { LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';

/** Readings that were expected and have not come. */
export interface OpenGap {
  meters: string[];
  /** Null if it is not known whose reading is missing. */
  resourceId: string | null;
  /** Nominal time of the cycle. */
  at: string;
  reason: string;
}

export interface OpenGaps {
  count: number;
  /** The first of them. */
  gaps: OpenGap[];
}

export const MAX_OPEN_GAPS = 100;

/**
 * The gaps of polling that lie in a range and concern some meters, and were open when the logs had these
 * sizes. A project is told of those of its own resources, and of those of which nobody knows whose they are.
 */
export async function openGaps(
  db: Queryable,
  scope: Scope,
  { meters, range, sizes, isPast }: {
    meters: readonly string[];
    range: Span;
    sizes: LogSizes;
    /** False for the present, in which nothing that is on record is too new. */
    isPast: boolean;
  },
): Promise<OpenGaps> {
  const where = new Conditions();
  where.add(`c.cycle >= ${where.bind(formatMicros(range.start))}`);
  where.add(`c.cycle < ${where.bind(formatMicros(range.end))}`);
  where.add(`g.meters && ${where.bind(meters)}::text[]`);
  if (isPast) {
    // Gaps have no place in the log: the newest of the checkpoints says up to when they are known.
    const at = where.bind(sizes.map(({ signedAt }) => signedAt).sort().at(-1) ?? '-infinity');
    where.add(`g.recorded_at <= ${at} AND (g.repaired_at IS NULL OR g.repaired_at > ${at})`);
    where.add(`(g.carried_by IS NULL OR g.carried_by > ${at})`);
  } else where.add('g.repaired_at IS NULL AND g.carried_by IS NULL');
  if (scope !== 'all') {
    where.add(`(g.unit IS NULL OR EXISTS (
      SELECT FROM series r WHERE r.resource_id = g.unit
        AND r.project_id = ${where.bind(scope.projectId)}))`);
  }
  return await withDatabaseErrors('read the open gaps', async () => {
    const { rows } = await db.query<
      { meters: string[]; unit: string | null; cycle: string; reason: string; count: bigint }
    >(
      `SELECT g.meters, g.unit, c.cycle, g.reason, count(*) OVER () AS count
       FROM poll_gaps g JOIN poll_cycles c USING (cycle_id) WHERE ${where.sql}
       ORDER BY c.cycle, g.gap_key LIMIT ${MAX_OPEN_GAPS}`,
      where.values,
    );
    return {
      count: Number(rows[0]?.count ?? 0n),
      gaps: rows.map((row) => ({
        meters: row.meters,
        resourceId: row.unit,
        at: row.cycle,
        reason: row.reason,
      })),
    };
  });
}
