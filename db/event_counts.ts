import type { Queryable } from './client.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';

/** What came of notifications, each counted once however often it was delivered. */
export interface EventSums {
  /** Met by a definition. */
  matched: number;
  unmatched: number;
  /** Readings left out because their volume was null or absent. */
  withoutVolume: number;
  samples: number;
}

export interface EventCount extends EventSums {
  eventType: string;
  lastSeen: string;
}

interface CountRow {
  name: string;
  matched: bigint;
  unmatched: bigint;
  without_volume: bigint;
  samples: bigint;
  last_seen: string;
}

const SUMS = `coalesce(sum(matched), 0)::bigint AS matched,
  coalesce(sum(unmatched), 0)::bigint AS unmatched,
  coalesce(sum(without_volume), 0)::bigint AS without_volume,
  coalesce(sum(samples), 0)::bigint AS samples`;

/** Counts by event type over all logs, by name: an operator's, since they tell of all tenants. */
export async function listEventCounts(
  db: Queryable,
  { limit, cursor }: PageRequest,
): Promise<Page<EventCount>> {
  checkLimit(limit);
  const after = decodeCursor('event_counts', cursor, ['string'])?.[0] ?? null;
  return await withDatabaseErrors('list the counts of events', async () => {
    const { rows } = await db.query<CountRow>(
      `SELECT t.name, ${SUMS}, max(c.last_seen) AS last_seen
       FROM event_types t JOIN event_counts c USING (event_type_id)
       WHERE $1::text IS NULL OR t.name > $1
       GROUP BY t.name ORDER BY t.name LIMIT $2`,
      [after, limit + 1],
    );
    const page = pageOf(rows, limit, (row) => encodeCursor('event_counts', [row.name]));
    return {
      rows: page.rows.map((row) => ({
        eventType: row.name,
        ...sumsOf(row),
        lastSeen: row.last_seen,
      })),
      nextCursor: page.nextCursor,
    };
  });
}

/** Over all event types and logs. */
export async function sumEventCounts(db: Queryable): Promise<EventSums> {
  return await withDatabaseErrors('sum the counts of events up', async () => {
    const { rows } = await db.query<CountRow>(`SELECT ${SUMS} FROM event_counts`);
    return sumsOf(rows[0] as CountRow);
  });
}

function sumsOf(row: CountRow): EventSums {
  return {
    matched: Number(row.matched),
    unmatched: Number(row.unmatched),
    withoutVolume: Number(row.without_volume),
    samples: Number(row.samples),
  };
}
