/** What came after the hour that it belongs to was sealed. */
import { leafOfPosition, positionOf } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** Leaves `[from, to)` of a log, against the hours before `sealedUntil`. */
export interface LeafSearch {
  logId: number;
  from: number;
  to: number;
  /** Canonical timestamp. */
  sealedUntil: string;
}

export interface LateSample {
  series_id: number;
  /** Microseconds since 1970. */
  at: bigint;
  position: number;
}

/** The first samples of a series after the sealed hours. */
export interface FirstAfter {
  series_id: number;
  /** Among the leaves that are looked through. */
  fresh: bigint;
  /** Among those before them; null if there is none. */
  known: bigint | null;
}

/**
 * How far the leaves may be looked through at once, so that not many more than `limit` late samples are
 * found: the end of a batch, or `to`.
 */
export async function endOfSearch(
  db: Queryable,
  { logId, from, to, sealedUntil }: LeafSearch,
  limit: number,
): Promise<number> {
  return await withDatabaseErrors('look for late samples', async () => {
    const { rows } = await db.query<{ position: bigint }>({
      name: 'end_of_search',
      text: `SELECT position FROM (
               SELECT position, sum(samples) OVER (ORDER BY position) AS samples
               FROM batches WHERE position >= $1 AND position < $2 AND min_ts <= $3
             ) b WHERE samples > $4 ORDER BY position OFFSET 1 LIMIT 1`,
      values: [positionOf(logId, from), positionOf(logId, to), sealedUntil, limit],
    });
    return rows[0] === undefined ? to : leafOfPosition(Number(rows[0].position));
  });
}

/**
 * The samples of sealed hours among the leaves, and those of the very instant that follows: a value that
 * was thought to have run out then did not.
 */
export async function lateSamples(db: Queryable, search: LeafSearch): Promise<LateSample[]> {
  return await withDatabaseErrors('read late samples', async () => {
    const { rows } = await db.query<LateSample>({
      name: 'late_samples',
      text: `WITH b AS MATERIALIZED (
               SELECT min(position) AS first, max(position + samples) AS after, min(min_ts) AS earliest
               FROM batches WHERE position >= $1 AND position < $2 AND min_ts <= $3
             )
             SELECT s.series_id, (extract(epoch FROM s.ts) * 1000000)::bigint AS at,
               s.position::float8 AS position
             FROM samples s
             WHERE s.position >= (SELECT first FROM b) AND s.position < (SELECT after FROM b)
               AND s.position >= $1 AND s.position < $2
               AND s.ts >= (SELECT earliest FROM b) AND s.ts <= $3`,
      values: [...leavesOf(search), search.sealedUntil],
    });
    return rows;
  });
}

/** How many samples of sealed hours there are among the leaves. */
export async function countLateSamples(db: Queryable, search: LeafSearch): Promise<number> {
  return await withDatabaseErrors('count late samples', async () => {
    const { rows } = await db.query<{ late: bigint }>({
      name: 'count_late_samples',
      text: `WITH b AS MATERIALIZED (
               SELECT position AS first, position + samples AS after
               FROM batches WHERE position >= $1 AND position < $2 AND min_ts < $3
             )
             SELECT count(*) AS late FROM b JOIN samples s
               ON s.position >= b.first AND s.position < b.after AND s.ts < $3
             WHERE s.ts >= (SELECT min(min_ts) FROM batches WHERE position >= $1 AND position < $2)
               AND s.position >= $1 AND s.position < $2`,
      values: [...leavesOf(search), search.sealedUntil],
    });
    return Number(rows[0]?.late ?? 0n);
  });
}

/**
 * Of the series of these meters that have samples after the sealed hours among the leaves: the first ones
 * there, and before those leaves. `until` is where to end, a canonical timestamp.
 */
export async function firstAfterSealed(
  db: Queryable,
  search: LeafSearch,
  { meters, until }: { meters: readonly string[]; until: string },
): Promise<FirstAfter[]> {
  if (meters.length === 0) return [];
  return await withDatabaseErrors('read what follows the sealed hours', async () => {
    const { rows } = await db.query<FirstAfter>({
      name: 'first_after_sealed',
      text: `WITH firsts AS MATERIALIZED (
               SELECT s.series_id,
                 (extract(epoch FROM min(s.ts) FILTER (WHERE s.position >= $1)) * 1000000)::bigint AS fresh,
                 (extract(epoch FROM min(s.ts) FILTER (WHERE s.position < $1)) * 1000000)::bigint AS known
               FROM samples s
               WHERE s.ts > $3 AND s.ts <= $4 AND s.position >= $5 AND s.position < $2
               GROUP BY s.series_id
             )
             SELECT firsts.* FROM firsts JOIN series r USING (series_id)
             WHERE fresh IS NOT NULL AND r.meter = ANY($6::text[])`,
      values: [
        ...leavesOf(search),
        search.sealedUntil,
        until,
        positionOf(search.logId, 0),
        meters,
      ],
    });
    return rows;
  });
}

function leavesOf({ logId, from, to }: LeafSearch): [number, number] {
  return [positionOf(logId, from), positionOf(logId, to)];
}
