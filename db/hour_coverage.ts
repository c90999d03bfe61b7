/** What of an hour was expected and is missing, as far as anybody knows when it is sealed. */
import { canonicalJson } from '../ledger/canonical_json.ts';
import { gapKey, MAX_GAP_KEYS, type SealCoverage } from '../ledger/seal_entry.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import { shardOf } from '../meters/intake_key.ts';
import type { JsonObject } from '../meters/json.ts';
import { pollKey } from '../meters/poll_message.ts';
import { cyclesOf } from '../meters/poll_schedule.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { listPollSources, type PollSource } from './poll_sources.ts';

export interface CoverageRequest {
  logId: number;
  /** Shards of the intake, which decide whose polls go to which log. */
  shards: number;
  /** The hour, `[start, end)`. */
  start: string;
  end: string;
}

/** The coverage whole, as canonical JSON, and what the `seal` entry says of it. */
export interface HourCoverage {
  text: string;
  entry: SealCoverage;
}

/** Rows of each list in a coverage at most. */
const MAX_ROWS = 1_000;

interface MeterRow {
  cloud: string;
  source: string;
  meter: string;
  received: number;
  missing: number;
  carried: number;
}

interface GapRow {
  cloud: string;
  source: string;
  pollster: string;
  reason: string;
  gaps: number;
  readings: number;
}

export async function readHourCoverage(
  db: Queryable,
  request: CoverageRequest,
): Promise<HourCoverage> {
  return await withDatabaseErrors('read the coverage of an hour', async () => {
    const values = [request.logId, request.start, request.end];
    const meters = await readMeters(db, values);
    const gaps = await readGaps(db, values);
    const heard = await readCycles(db, values);
    const quarantine = await readQuarantine(db, values);
    const projects = await readProjects(db, values);
    const sources = await listPollSources(db);
    const cycles = cyclesExpected(sources, request, heard);
    const missing = total(meters, ({ missing }) => missing);
    const received = total(meters, ({ received }) => received);
    const openGaps = total(gaps, (row) => row.gaps);
    const text = canonicalJson(
      {
        kind: 'coverage',
        v: 1,
        start: request.start,
        end: request.end,
        sources: cycles.map((row) => ({ ...row })),
        meters: meters.slice(0, MAX_ROWS).map((row) => ({ ...row })),
        gaps: gaps.slice(0, MAX_ROWS).map((row) => ({ ...row })),
        projects,
        quarantine,
        unaccounted: unaccounted(sources, request),
      } satisfies JsonObject,
    );
    const keys = projects.map((project) => gapKey(request.start, project)).sort();
    return {
      text,
      entry: {
        digest: sha256Hex(text),
        expected: received + missing,
        received,
        missing,
        open_gaps: openGaps,
        gap_keys: keys.slice(0, MAX_GAP_KEYS),
      },
    };
  });
}

type Values = readonly (number | string)[];

const CYCLES =
  'SELECT cycle_id, cloud, source FROM poll_cycles WHERE log_id = $1 AND cycle >= $2 AND cycle < $3';

async function readMeters(db: Queryable, values: Values): Promise<MeterRow[]> {
  const { rows } = await db.query<MeterRow>({
    name: 'coverage_meters',
    text: `WITH cycles AS (${CYCLES}), counted AS (
             SELECT cloud, source, meter, received, 0 AS missing, 0 AS carried
             FROM cycles JOIN poll_coverage USING (cycle_id)
             UNION ALL
             SELECT cloud, source, meter, 0, units, CASE WHEN carried_by IS NULL THEN 0 ELSE units END
             FROM cycles JOIN poll_gaps g USING (cycle_id), unnest(g.meters) AS meter
             WHERE repaired_at IS NULL
           )
           SELECT cloud, source, meter, sum(received)::int AS received, sum(missing)::int AS missing,
             sum(carried)::int AS carried
           FROM counted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    values: [...values],
  });
  return rows;
}

/** Those that are not repaired; `readings` counts units times meters. */
async function readGaps(db: Queryable, values: Values): Promise<GapRow[]> {
  const { rows } = await db.query<GapRow>({
    name: 'coverage_gaps',
    text: `WITH cycles AS (${CYCLES})
           SELECT cloud, source, pollster, reason, count(*)::int AS gaps,
             sum(units * cardinality(meters))::int AS readings
           FROM cycles JOIN poll_gaps USING (cycle_id) WHERE repaired_at IS NULL
           GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
    values: [...values],
  });
  return rows;
}

/** Projects whose resources are among the units that are missing by name. */
async function readProjects(db: Queryable, values: Values): Promise<(string | null)[]> {
  const { rows } = await db.query<{ project_id: string | null }>({
    name: 'coverage_projects',
    text: `WITH cycles AS (${CYCLES}), units AS (
             SELECT DISTINCT unit FROM cycles JOIN poll_gaps USING (cycle_id)
             WHERE repaired_at IS NULL AND unit IS NOT NULL LIMIT 10000
           )
           SELECT DISTINCT project_id FROM series
           WHERE log_id = $1 AND resource_id IN (SELECT unit FROM units)
           ORDER BY project_id LIMIT ${MAX_ROWS}`,
    values: [...values],
  });
  return rows.map(({ project_id }) => project_id);
}

interface CycleCount {
  cloud: string;
  source: string;
  begun: number;
  ended: number;
}

async function readCycles(db: Queryable, values: Values): Promise<CycleCount[]> {
  const { rows } = await db.query<CycleCount>({
    name: 'coverage_cycles',
    text: `SELECT cloud, source, count(*)::int AS begun, count(ended_at)::int AS ended
           FROM poll_cycles WHERE log_id = $1 AND cycle >= $2 AND cycle < $3
           GROUP BY 1, 2 ORDER BY 1, 2`,
    values: [...values],
  });
  return rows;
}

/** What came in that hour and was not understood. */
async function readQuarantine(
  db: Queryable,
  values: Values,
): Promise<{ reason: string; messages: number }[]> {
  const { rows } = await db.query<{ reason: string; messages: number }>({
    name: 'coverage_quarantine',
    text: `SELECT reason, count(*)::int AS messages FROM quarantine
           WHERE status = 'open' AND log_id = $1 AND received_at >= $2 AND received_at < $3
           GROUP BY 1 ORDER BY 1 LIMIT ${MAX_ROWS}`,
    values: [...values],
  });
  return rows;
}

/** Cycles by source: those that its Schedules have in that hour, of the groups that go to this log. */
function cyclesExpected(
  sources: readonly PollSource[],
  request: CoverageRequest,
  heard: readonly CycleCount[],
): (CycleCount & { expected: number })[] {
  const counts = new Map(heard.map((row) => [nameOf(row), { ...row, expected: row.begun }]));
  for (const source of sources) {
    const expected = expectedOf(source, request);
    if (expected === 0) continue;
    const name = { cloud: source.cloud, source: source.name };
    const count = counts.get(nameOf(name)) ?? { ...name, begun: 0, ended: 0, expected: 0 };
    counts.set(nameOf(name), { ...count, expected: Math.max(count.expected, expected) });
  }
  return [...counts.values()].sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1).slice(0, MAX_ROWS);
}

function expectedOf(source: PollSource, { logId, shards, start, end }: CoverageRequest): number {
  const from = source.appliedAt > start ? source.appliedAt : start;
  if (from >= end) return 0;
  let expected = 0;
  for (let group = 0; group < source.groups; group += 1) {
    const name = { cloud: source.cloud, source: source.name, group };
    if (shardOf(pollKey(name), shards) !== logId) continue;
    expected += cyclesOf(name, source.intervalSeconds, { from, to: end }).length;
  }
  return expected;
}

/** Sources of which cycles of the hour may be missing without anybody having looked. */
function unaccounted(sources: readonly PollSource[], { start, end }: CoverageRequest) {
  return sources
    .filter(({ checkedUntil, appliedAt }) => checkedUntil < end && appliedAt < end && start < end)
    .slice(0, MAX_ROWS)
    .map(({ cloud, name, checkedUntil }) => ({ cloud, source: name, checked_until: checkedUntil }));
}

function nameOf({ cloud, source }: { cloud: string; source: string }): string {
  return JSON.stringify([cloud, source]);
}

function total<Row>(rows: readonly Row[], count: (row: Row) => number): number {
  return rows.reduce((sum, row) => sum + count(row), 0);
}
