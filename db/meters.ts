import type { MeterType } from '../meters/sample.ts';
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
import { addSeriesConditions, type SampleFilters } from './sample_filters.ts';
import type { Scope } from './scope.ts';

/** A meter that has samples. One name may have several types and units, each of them a row. */
export interface Meter {
  meter: string;
  type: MeterType;
  unit: string;
  series: number;
  resources: number;
  projects: number;
}

/** Which series count: the conditions of {@link SampleFilters} that a series can meet. */
export type SeriesFilters = Pick<
  SampleFilters,
  'meter' | 'resourceId' | 'projectId' | 'userId' | 'source'
>;

interface MeterRow {
  meter: string;
  type: MeterType;
  unit: string;
  series: bigint;
  resources: bigint;
  projects: bigint;
}

/** By name, type and unit. @throws {NephoError} `limit_invalid`, `cursor_invalid` */
export async function listMeters(
  db: Queryable,
  scope: Scope,
  filters: SeriesFilters,
  { limit, cursor }: PageRequest,
): Promise<Page<Meter>> {
  checkLimit(limit);
  const after = decodeCursor('meters', cursor, ['string', 'string', 'string']);
  const where = new Conditions();
  addSeriesConditions(where, scope, filters);
  if (after !== null) {
    where.add(`(r.meter, r.type, r.unit) > (${after.map((part) => where.bind(part)).join(', ')})`);
  }
  return await withDatabaseErrors('list the meters', async () => {
    const { rows } = await db.query<MeterRow>(
      `SELECT r.meter, r.type, r.unit, count(*) AS series,
         count(DISTINCT r.resource_id) AS resources, count(DISTINCT r.project_id) AS projects
       FROM series r WHERE ${where.sql}
       GROUP BY r.meter, r.type, r.unit ORDER BY r.meter, r.type, r.unit
       LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    const page = pageOf(
      rows,
      limit,
      (row) => encodeCursor('meters', [row.meter, row.type, row.unit]),
    );
    return { rows: page.rows.map(meterOf), nextCursor: page.nextCursor };
  });
}

function meterOf(row: MeterRow): Meter {
  return {
    ...row,
    series: Number(row.series),
    resources: Number(row.resources),
    projects: Number(row.projects),
  };
}
