import type { PollsterOutcome } from '../meters/poll_message.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

export interface GroupName {
  cloud: string;
  source: string;
  group: number;
}

/**
 * What each pollster found when it could last list its units, or was last taken to be there: what may be
 * expected of a cycle that nothing is known of. Looks at the last few cycles only, and each hands on what
 * was expected of it, so that an outage may last.
 */
export async function lastOutcomes(
  db: Queryable,
  { cloud, source, group }: GroupName,
  before: string,
): Promise<PollsterOutcome[]> {
  return await withDatabaseErrors('read the last cycles', async () => {
    const { rows } = await db.query<{ outcome: PollsterOutcome }>({
      name: 'last_outcomes',
      text: `SELECT DISTINCT ON (outcome->>'name') outcome
             FROM (
               SELECT cycle, pollsters FROM poll_cycles
               WHERE cloud = $1 AND source = $2 AND group_no = $3 AND cycle < $4 AND ended_at IS NOT NULL
               ORDER BY cycle DESC LIMIT 20
             ) recent, jsonb_array_elements(pollsters) AS outcome
             WHERE outcome->>'name' <> '*'
               AND ((outcome->>'listed')::boolean OR (outcome->>'discovered')::int > 0)
             ORDER BY outcome->>'name', (outcome->>'listed')::boolean DESC, cycle DESC`,
      values: [cloud, source, group, before],
    });
    return rows.map(({ outcome }) => outcome);
  });
}

/** A cycle that has begun, as far as the log knows. */
export interface KnownCycle {
  cycle: string;
  ended: boolean;
}

/** The cycles of a group with nominal times in a span, its end not included, oldest first. */
export async function knownCycles(
  db: Queryable,
  { cloud, source, group }: GroupName,
  span: { from: string; to: string },
): Promise<KnownCycle[]> {
  return await withDatabaseErrors('read the cycles of a source', async () => {
    const { rows } = await db.query<KnownCycle>({
      name: 'known_cycles',
      text: `SELECT cycle, ended_at IS NOT NULL AS ended FROM poll_cycles
             WHERE cloud = $1 AND source = $2 AND group_no = $3 AND cycle >= $4 AND cycle < $5
             ORDER BY cycle`,
      values: [cloud, source, group, span.from, span.to],
    });
    return rows;
  });
}

/** Nominal times, oldest first, of cycles in a span that have open gaps of the given pollsters. */
export async function cyclesWithGaps(
  db: Queryable,
  { cloud, source, group }: GroupName,
  wanted: { from: string; to: string; pollsters: readonly string[]; limit: number },
): Promise<string[]> {
  return await withDatabaseErrors('find gaps to repair', async () => {
    const { rows } = await db.query<{ cycle: string }>(
      `SELECT c.cycle FROM poll_cycles c
       WHERE cloud = $1 AND source = $2 AND group_no = $3 AND cycle >= $4 AND cycle < $5 AND EXISTS (
         SELECT 1 FROM poll_gaps g WHERE g.cycle_id = c.cycle_id AND g.repaired_at IS NULL
           AND (g.pollster = ANY($6) OR g.pollster = '*'))
       ORDER BY cycle LIMIT $7`,
      [cloud, source, group, wanted.from, wanted.to, wanted.pollsters, wanted.limit],
    );
    return rows.map(({ cycle }) => cycle);
  });
}
