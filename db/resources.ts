import type { JsonObject } from '../meters/json.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';
import {
  addKnown,
  addSeriesConditions,
  addTimeConditions,
  type SampleFilters,
} from './sample_filters.ts';
import type { Scope } from './scope.ts';

/** A resource that has samples. Project, user, source and metadata are those of its last sample. */
export interface Resource {
  resourceId: string;
  projectId: string | null;
  userId: string | null;
  source: string;
  /** Names, in order. */
  meters: string[];
  /** Timestamps of its first and last sample. */
  firstTimestamp: string;
  lastTimestamp: string;
  metadata: JsonObject;
}

/** Which samples make a resource appear, and are looked at for its times. */
export type ResourceFilters = Omit<SampleFilters, 'metadata'>;

interface ResourceRow {
  resource_id: string;
  project_id: string | null;
  user_id: string | null;
  source: string;
  meters: string[];
  first: string;
  last: string;
  metadata: string;
}

/**
 * By id. Each resource costs a look at all its samples between `from` and `to`.
 *
 * @throws {NephoError} `limit_invalid`, `cursor_invalid`, `timestamp_invalid`
 */
export async function listResources(
  db: Queryable,
  scope: Scope,
  filters: ResourceFilters,
  { limit, cursor }: PageRequest,
): Promise<Page<Resource>> {
  checkLimit(limit);
  let after = decodeCursor('resources', cursor, ['string'])?.[0] as string | undefined;
  return await withDatabaseErrors('list the resources', async () => {
    const rows: Resource[] = [];
    // Of a page of ids, some may have no samples in the time asked for.
    while (rows.length <= limit) {
      const ids = await nextIds(db, scope, filters, { after, limit: limit + 1 - rows.length });
      rows.push(...await describe(db, scope, filters, ids));
      after = ids.at(-1);
      if (after === undefined) break;
    }
    return pageOf(rows, limit, (row) => encodeCursor('resources', [row.resourceId]));
  });
}

async function nextIds(
  db: Queryable,
  scope: Scope,
  filters: ResourceFilters,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<string[]> {
  const where = new Conditions();
  addSeriesConditions(where, scope, filters);
  if (after !== undefined) where.add(`r.resource_id > ${where.bind(after)}`);
  const { rows } = await db.query<{ resource_id: string }>(
    `SELECT DISTINCT r.resource_id FROM series r WHERE ${where.sql}
     ORDER BY r.resource_id LIMIT ${where.bind(limit)}`,
    where.values,
  );
  return rows.map((row) => row.resource_id);
}

async function describe(
  db: Queryable,
  scope: Scope,
  filters: ResourceFilters,
  ids: readonly string[],
): Promise<Resource[]> {
  if (ids.length === 0) return [];
  const series = new Conditions();
  addSeriesConditions(series, scope, filters);
  series.add(`r.resource_id = ANY(${series.bind([...ids])})`);
  const time = new Conditions(series.values);
  addTimeConditions(time, filters);
  const known = new Conditions(series.values);
  addKnown(known, filters);
  const { rows } = await db.query<ResourceRow>(
    `WITH chosen AS MATERIALIZED (SELECT r.* FROM series r WHERE ${series.sql}),
     spans AS (
       SELECT r.resource_id, array_agg(DISTINCT r.meter ORDER BY r.meter) AS meters,
         min(t.first) AS first, max(t.last) AS last
       FROM chosen r JOIN (
         SELECT s.series_id, min(s.ts) AS first, max(s.ts) AS last
         FROM samples s
         WHERE s.series_id IN (SELECT series_id FROM chosen) AND ${time.sql}
         GROUP BY s.series_id
       ) t USING (series_id)
       GROUP BY r.resource_id
     )
     SELECT p.resource_id, p.meters, p.first, p.last,
       l.project_id, l.user_id, l.source, m.body AS metadata
     FROM spans p
     CROSS JOIN LATERAL (
       SELECT r.project_id, r.user_id, r.source, s.metadata_id
       FROM chosen r JOIN samples s USING (series_id)
       WHERE r.resource_id = p.resource_id AND s.ts = p.last AND ${known.sql}
       ORDER BY s.position DESC LIMIT 1
     ) l
     JOIN metadata m USING (metadata_id)
     ORDER BY p.resource_id`,
    series.values,
  );
  return rows.map((row) => ({
    resourceId: row.resource_id,
    projectId: row.project_id,
    userId: row.user_id,
    source: row.source,
    meters: row.meters,
    firstTimestamp: row.first,
    lastTimestamp: row.last,
    metadata: JSON.parse(row.metadata) as JsonObject,
  }));
}
