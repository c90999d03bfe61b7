import { readKnownEntry } from '../ledger/entry.ts';
import { leafOfPosition, logOfPosition, positionOf } from '../ledger/position.ts';
import { assert } from '../meters/assert.ts';
import type { MeterType } from '../meters/sample.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';

/** Of each log the first leaf that was not dealt with. A log that is not in it begins at its first leaf. */
export type LogVector = ReadonlyMap<number, number>;

/** What happened at a place of a log. */
interface LogEvent {
  readonly logId: number;
  readonly leaf: number;
}

/** An hour of a log was sealed. */
export interface SealEvent extends LogEvent {
  readonly start: string;
  readonly sealedAt: string;
  /** 64 hexadecimal digits. */
  readonly root: string;
  /** Windows in it that are in the reader's scope. */
  readonly windows: number;
}

/** Sealed windows of a project were followed by new revisions. */
export interface RevisionEvent extends LogEvent {
  readonly projectId: string | null;
  readonly revisedAt: string;
  readonly reason: string;
  readonly changes: readonly RevisedWindow[];
}

export interface RevisedWindow {
  /** 32 hexadecimal digits. */
  readonly series: string;
  readonly meter: string;
  readonly type: MeterType;
  readonly resourceId: string;
  readonly start: string;
  readonly revision: number;
  /** Null if the hour had no window of the series. */
  readonly quantityBefore: string | null;
  readonly quantityAfter: string;
  readonly unit: string;
}

/** A statement, or an amendment, became final. */
export interface StatementEvent extends LogEvent {
  readonly projectId: string;
  readonly period: string;
  readonly number: number;
  readonly start: string;
  readonly end: string;
  readonly zone: string;
  readonly digest: string;
  readonly lines: number;
  readonly closedAt: string;
}

export interface EventRequest {
  readonly after: LogVector;
  /** The leaves of each log to look at. */
  readonly sizes: LogVector;
  readonly limit: number;
}

/** The next events of a kind within the logs' sizes, those of a log in their order. */
export type ReadEvents<Event extends LogEvent> = (
  db: Queryable,
  scope: Scope,
  request: EventRequest,
) => Promise<Event[]>;

/** How many leaves each log has. */
export async function readSizes(db: Queryable): Promise<Map<number, number>> {
  return await withDatabaseErrors('read the sizes of the logs', async () => {
    const { rows } = await db.query<{ log_id: number; size: bigint }>({
      name: 'log_sizes',
      text: 'SELECT log_id, size FROM logs',
    });
    return new Map(rows.map(({ log_id, size }) => [log_id, Number(size)]));
  });
}

export const readSealEvents: ReadEvents<SealEvent> = async (db, scope, request) => {
  const { text, values } = statement(request, {
    columns: "position, start, sealed_at, encode(root, 'hex') AS root, rows AS windows",
    from: 'seals',
  });
  return await withDatabaseErrors('read seals', async () => {
    const { rows } = await db.query<
      { position: bigint; start: string; sealed_at: string; root: string; windows: number }
    >(text, values);
    const counts = scope === 'all' ? null : await ownWindows(db, scope.projectId, rows);
    return rows.map((row) => ({
      ...placeOf(row.position),
      start: row.start,
      sealedAt: row.sealed_at,
      root: row.root,
      windows: counts === null ? row.windows : counts.get(row.position) ?? 0,
    }));
  });
};

/** The numbers of others' windows are none of a project's business. */
async function ownWindows(
  db: Queryable,
  projectId: string,
  seals: readonly { position: bigint; start: string }[],
): Promise<Map<bigint, number>> {
  const { rows } = await db.query<{ position: bigint; count: number }>(
    `SELECT w.position, count(*)::int AS count
     FROM unnest($2::bigint[], $3::timestamptz[]) AS t(position, start)
     JOIN windows w ON w.start = t.start AND w.position = t.position
     JOIN series r ON r.series_id = w.series_id AND r.project_id = $1
     GROUP BY w.position`,
    [projectId, seals.map(({ position }) => position), seals.map(({ start }) => start)],
  );
  return new Map(rows.map(({ position, count }) => [position, count]));
}

export const readRevisionEvents: ReadEvents<RevisionEvent> = async (db, scope, request) => {
  const values: unknown[] = scope === 'all' ? [] : [scope.projectId];
  const { text, values: all } = statement(request, {
    columns: 'position, entry, revised_at',
    from: 'revisions JOIN records USING (position)',
    condition: scope === 'all' ? 'true' : "entry::json ->> 'project_id' = $1",
    values,
  });
  return await withDatabaseErrors('read revisions', async () => {
    const { rows } = await db.query<{ position: bigint; entry: string; revised_at: string }>(
      text,
      all,
    );
    const entries = rows.map(({ position, entry, revised_at }) => {
      const parsed = readKnownEntry(entry);
      assert(parsed?.kind === 'revision', `the record at ${position} is a revision`);
      return { position, revised_at, entry: parsed };
    });
    const series = await seriesByKey(
      db,
      entries.flatMap(({ entry }) => entry.changes.map((change) => change.series)),
    );
    return entries.map(({ position, revised_at, entry }): RevisionEvent => ({
      ...placeOf(position),
      projectId: entry.project_id,
      revisedAt: revised_at,
      reason: entry.cause.reason,
      changes: entry.changes.map((change) => ({
        ...series.get(change.series) ?? UNKNOWN_SERIES,
        series: change.series,
        start: change.start,
        revision: change.revision,
        quantityBefore: change.quantity_before,
        quantityAfter: change.quantity_after,
        unit: change.unit,
      })),
    }));
  });
};

export const readStatementEvents: ReadEvents<StatementEvent> = async (db, scope, request) => {
  const { text, values } = statement(request, {
    columns: `position, project_id, period, number, start, "end", zone,
      encode(digest, 'hex') AS digest, lines, closed_at`,
    from: 'statements',
    condition: scope === 'all' ? 'true' : 'project_id = $1',
    values: scope === 'all' ? [] : [scope.projectId],
  });
  return await withDatabaseErrors('read final statements', async () => {
    const { rows } = await db.query<StatementEventRow>(text, values);
    return rows.map(({ position, project_id, closed_at, ...row }) => ({
      ...placeOf(position),
      ...row,
      projectId: project_id,
      closedAt: closed_at,
    }));
  });
};

interface StatementEventRow
  extends Omit<StatementEvent, keyof LogEvent | 'projectId' | 'closedAt'> {
  position: bigint;
  project_id: string;
  closed_at: string;
}

interface EventTable {
  columns: string;
  from: string;
  condition?: string;
  values?: unknown[];
}

/** Of each log its next rows; the least places of all, so that those of a log are its next ones again. */
function statement(
  { after, sizes, limit }: EventRequest,
  { columns, from, condition = 'true', values = [] }: EventTable,
): { text: string; values: unknown[] } {
  const logs = [...sizes.keys()];
  const n = values.length;
  return {
    text: `
      SELECT e.* FROM unnest($${n + 1}::bigint[], $${n + 2}::bigint[]) AS b(first, known_before)
      CROSS JOIN LATERAL (
        SELECT ${columns} FROM ${from}
        WHERE position >= b.first AND position < b.known_before AND ${condition}
        ORDER BY position LIMIT ${limit}
      ) e
      ORDER BY e.position LIMIT ${limit}`,
    values: [
      ...values,
      logs.map((log) => positionOf(log, after.get(log) ?? 0)),
      logs.map((log) => positionOf(log, sizes.get(log) ?? 0)),
    ],
  };
}

const UNKNOWN_SERIES = { meter: '', type: 'gauge', resourceId: '' } as const;

async function seriesByKey(db: Queryable, keys: readonly string[]) {
  const { rows } = await db.query<
    { key: string; meter: string; type: MeterType; resource_id: string }
  >(
    `SELECT replace(key::text, '-', '') AS key, meter, type, resource_id FROM series
     WHERE key = ANY($1::uuid[])`,
    [[...new Set(keys)]],
  );
  return new Map(rows.map(({ key, meter, type, resource_id }) => [
    key,
    { meter, type, resourceId: resource_id },
  ]));
}

function placeOf(position: bigint): LogEvent {
  return {
    logId: logOfPosition(Number(position)),
    leaf: leafOfPosition(Number(position)),
  };
}
