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

export interface CoverageFilters {
  cloud?: string | undefined;
  source?: string | undefined;
  meter?: string | undefined;
  /** Nominal times, the first included, the second not; canonical UTC timestamps. */
  from?: string | undefined;
  to?: string | undefined;
}

/** What was expected of a source in one cycle, and what of it is there. */
export interface CoverageRow {
  cloud: string;
  source: string;
  cycle: string;
  meter: string;
  /** `received + missing`, in readings. */
  expected: number;
  received: number;
  missing: number;
  /** Of the missing ones, those of cumulative meters whose total a later reading carries. */
  carried: number;
  /** Received after they had been recorded as missing. */
  repaired: number;
  /** Readings that are missing, by reason. */
  reasons: Record<string, number>;
}

/** Readings that were expected and are not there, or came late. */
export interface GapRow {
  /** UUID: the key of the origin that closes it. */
  gapKey: string;
  cloud: string;
  source: string;
  group: number;
  cycle: string;
  pollster: string;
  /** Null if it is not known which units are missing. */
  unit: string | null;
  units: number;
  meters: string[];
  reason: string;
  detail: string;
  recordedAt: string;
  repairedAt: string | null;
  /** Nominal time of the cycle that carries the totals of its cumulative meters. */
  carriedBy: string | null;
}

const IDENTITY = ['cloud', 'source', 'cycle', 'meter'] as const;

/** The newest cycle first, its meters by name. @throws {NephoError} `limit_invalid`, `cursor_invalid` */
export async function listCoverage(
  db: Queryable,
  filters: CoverageFilters,
  { limit, cursor }: PageRequest,
): Promise<Page<CoverageRow>> {
  checkLimit(limit);
  const after = decodeCursor('coverage', cursor, ['string', 'string', 'string', 'string']);
  const where = cycleConditions(filters);
  const outer = new Conditions(where.values);
  outer.equal('meter', filters.meter);
  if (after !== null) {
    const [cloud, source, cycle, meter] = after.map((part) => outer.bind(part));
    where.add(`c.cycle <= ${cycle}`);
    outer.add(`(cycle < ${cycle} OR cycle = ${cycle}
      AND (cloud, source, meter) > (${cloud}, ${source}, ${meter}))`);
  }
  return await withDatabaseErrors('read the coverage', async () => {
    const { rows } = await db.query<CoverageRow>(
      `${coverageOf(where.sql)}
       SELECT ${
        IDENTITY.join(', ')
      }, (received + missing)::int AS expected, received::int, missing::int,
         carried::int, repaired::int, reasons
       FROM both_sides WHERE ${outer.sql}
       ORDER BY cycle DESC, cloud, source, meter LIMIT ${outer.bind(limit + 1)}`,
      outer.values,
    );
    return pageOf(
      rows,
      limit,
      (row) => encodeCursor('coverage', [row.cloud, row.source, row.cycle, row.meter]),
    );
  });
}

/** Both sides of the account: what came, counted as it was stored, and what is on record as missing. */
function coverageOf(condition: string): string {
  const identity = IDENTITY.join(', ');
  return `
    WITH cycles AS (SELECT cycle_id, cloud, source, cycle FROM poll_cycles c WHERE ${condition}),
    came AS (
      SELECT ${identity}, sum(received) AS received
      FROM poll_coverage JOIN cycles USING (cycle_id) GROUP BY ${identity}
    ),
    by_reason AS (
      SELECT ${identity}, reason, sum(units) FILTER (WHERE repaired_at IS NULL) AS missing,
        sum(units) FILTER (WHERE repaired_at IS NULL AND carried_by IS NOT NULL) AS carried,
        sum(units) FILTER (WHERE repaired_at IS NOT NULL AND unit IS NOT NULL) AS repaired
      FROM poll_gaps JOIN cycles USING (cycle_id), unnest(meters) AS meter GROUP BY ${identity}, reason
    ),
    missed AS (
      SELECT ${identity}, sum(missing) AS missing, sum(carried) AS carried, sum(repaired) AS repaired,
        jsonb_object_agg(reason, missing) FILTER (WHERE missing > 0) AS reasons
      FROM by_reason GROUP BY ${identity}
    ),
    both_sides AS (
      SELECT ${identity}, coalesce(received, 0) AS received, coalesce(missing, 0) AS missing,
        coalesce(carried, 0) AS carried, coalesce(repaired, 0) AS repaired,
        coalesce(reasons, '{}') AS reasons
      FROM came FULL JOIN missed USING (${identity})
    )`;
}

export interface GapFilters extends CoverageFilters {
  reason?: string | undefined;
  /** True for those that are still missing. */
  open?: boolean | undefined;
}

/** The newest cycle first. @throws {NephoError} `limit_invalid`, `cursor_invalid` */
export async function listGaps(
  db: Queryable,
  filters: GapFilters,
  { limit, cursor }: PageRequest,
): Promise<Page<GapRow>> {
  checkLimit(limit);
  const after = decodeCursor('gaps', cursor, ['string', 'string']);
  const where = cycleConditions(filters);
  where.equal('g.reason', filters.reason);
  if (filters.meter !== undefined) where.add(`${where.bind(filters.meter)} = ANY(g.meters)`);
  if (filters.open === true) where.add('g.repaired_at IS NULL');
  if (after !== null) {
    const [cycle, key] = after.map((part) => where.bind(part));
    where.add(`(c.cycle < ${cycle} OR c.cycle = ${cycle} AND g.gap_key > ${key}::uuid)`);
  }
  return await withDatabaseErrors('list gaps', async () => {
    const { rows } = await db.query<GapRow>(
      `SELECT g.gap_key AS "gapKey", c.cloud, c.source, c.group_no AS "group", c.cycle, g.pollster,
         g.unit, g.units, g.meters, g.reason, g.detail, g.recorded_at AS "recordedAt",
         g.repaired_at AS "repairedAt", g.carried_by AS "carriedBy"
       FROM poll_gaps g JOIN poll_cycles c USING (cycle_id) WHERE ${where.sql}
       ORDER BY c.cycle DESC, g.gap_key LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return pageOf(rows, limit, (row) => encodeCursor('gaps', [row.cycle, row.gapKey]));
  });
}

function cycleConditions({ cloud, source, from, to }: CoverageFilters): Conditions {
  const where = new Conditions();
  where.equal('c.cloud', cloud);
  where.equal('c.source', source);
  if (from !== undefined) where.add(`c.cycle >= ${where.bind(from)}`);
  if (to !== undefined) where.add(`c.cycle < ${where.bind(to)}`);
  return where;
}
