/** The rows of sealed windows: written once, read as they are in force. */
import type { PoolClient } from 'pg';
import { positionOf } from '../ledger/position.ts';
import { parseQuantity } from '../meters/quantity.ts';
import { toMicros } from '../meters/timestamp.ts';
import type { Carry } from '../meters/window_reading.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { literal } from './insert_batch.ts';
import { WINDOW_COLUMNS, type WindowColumns } from './window_columns.ts';

/** Which window it is. */
interface WindowName {
  series_id: number;
  /** First instant of the hour. */
  start: string;
  revision: number;
  /** Place of the entry that vouches for it. */
  position: number;
  /** Leaf index in the seal's tree, or index in the revision's list of changes. */
  place: number;
}

/** A window as it is stored. */
export interface WindowRow extends WindowColumns, WindowName {}

export interface NewWindow extends WindowName {
  columns: WindowColumns;
}

/** A carry by the number of its series. */
export type Carries = Map<number, Carry>;

const NUMBERS = ['series_id', 'start', 'revision', 'position', 'place'] as const;
const COLUMNS = [...NUMBERS, ...WINDOW_COLUMNS] as const;

/** The SQL types of what is not `numeric`. */
const TYPES: Partial<Record<(typeof COLUMNS)[number], string>> = {
  series_id: 'int',
  start: 'timestamptz',
  revision: 'int',
  position: 'bigint',
  place: 'int',
  count: 'int',
  first_at: 'timestamptz',
  last_at: 'timestamptz',
  resets: 'int',
  steps_back: 'int',
  expired: 'bool',
  ended: 'bool',
  carry_at: 'timestamptz',
  carry_ended: 'bool',
};

const INSERT_WINDOWS = `INSERT INTO windows (${COLUMNS.join(', ')})
  SELECT * FROM unnest(${
  COLUMNS.map((column, index) => `$${index + 1}::${TYPES[column] ?? 'numeric'}[]`).join(', ')
})`;

/**
 * The condition that a row of `windows w` is the one in force, as of a place of its log: nearly all are as
 * they were sealed, and an index of their own holds the few that are not.
 */
export function inForceBefore(before: string | null): string {
  return `NOT EXISTS (SELECT 1 FROM windows newer WHERE newer.revision > 0
  AND newer.series_id = w.series_id AND newer.start = w.start AND newer.revision > w.revision
  ${before === null ? '' : `AND newer.position < ${before}`})`;
}

const IN_FORCE = inForceBefore(null);
// By the series, not by the index of places, which would be gone through for each.
const IN_FORCE_AND_KNOWN = `w.position + 0 >= $3 AND w.position + 0 < $4 AND ${
  inForceBefore('$4')
}`;
/** A revision may leave nothing of a window; the row that says so carries nothing on. */
const HOLDS_SOMETHING = '(w.count > 0 OR w.covered > 0)';
const CARRY = `CASE WHEN w.count > 0 THEN w.last_at ELSE w.carry_at END AS at,
  CASE WHEN w.count > 0 THEN w.last_volume ELSE w.carry_volume END AS volume,
  CASE WHEN w.count > 0 THEN w.ended ELSE w.carry_ended END AS ended`;

/** Writes windows by one statement, within the transaction that appends their entry. */
export async function insertWindows(tx: PoolClient, rows: readonly NewWindow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query({
    name: 'insert_windows',
    text: INSERT_WINDOWS,
    values: [
      ...NUMBERS.map((column) => literal(rows.map((row) => row[column]))),
      ...WINDOW_COLUMNS.map((column) =>
        literal(rows.map(({ columns }) => itemOf(columns[column])))
      ),
    ],
  });
}

function itemOf(value: string | number | boolean | null): string | number {
  return value === null ? 'NULL' : typeof value === 'boolean' ? String(value) : value;
}

/** Hours of one series. */
export interface SeriesHours {
  seriesId: number;
  /** First instants of the first hour, and of that after the last. */
  from: string;
  to: string;
}

/** The windows in force in these hours, also such as a revision left empty; by series and start. */
export async function windowsInForce(
  db: Queryable,
  spans: readonly SeriesHours[],
): Promise<WindowRow[]> {
  if (spans.length === 0) return [];
  return await withDatabaseErrors('read windows in force', async () => {
    const { rows } = await db.query<Omit<WindowRow, 'position'> & { position: bigint }>({
      name: 'windows_in_force',
      text: `SELECT ${COLUMNS.map((column) => `w.${column}`).join(', ')}
             FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS t(series_id, since, until)
             JOIN windows w ON w.series_id = t.series_id AND w.start >= t.since AND w.start < t.until
             WHERE ${IN_FORCE}
             ORDER BY w.series_id, w.start`,
      values: spanColumns(spans),
    });
    return rows.map((row) => ({ ...row, position: Number(row.position) }));
  });
}

/** What the last windows within a span of hours carry on: of the series of the log that have any there. */
export async function carriesWithin(
  db: Queryable,
  logId: number,
  { from, to }: { from: string; to: string },
): Promise<Carries> {
  return await withDatabaseErrors('read what hours carry on', async () => {
    const { rows } = await db.query<CarryRow>({
      name: 'carries_within',
      text: `SELECT DISTINCT ON (w.series_id) w.series_id, ${CARRY} FROM windows w
             WHERE w.start >= $1 AND w.start < $2 AND w.position >= $3 AND w.position < $4
               AND ${HOLDS_SOMETHING} AND ${IN_FORCE}
             ORDER BY w.series_id, w.start DESC`,
      values: [from, to, positionOf(logId, 0), positionOf(logId + 1, 0)],
    });
    const carries: Carries = new Map();
    for (const row of rows) {
      const carry = readCarry(row);
      if (carry !== null) carries.set(row.series_id, carry);
    }
    return carries;
  });
}

/** The windows that were known of one log: those at places from `first` on and before `before`. */
export interface KnownPlaces {
  first: number;
  before: number;
}

/**
 * What the last windows before a time carry on, of each of the series that has any.
 *
 * @param known only by windows at these places; by all unless given
 */
export async function carriesBefore(
  db: Queryable,
  wanted: readonly { seriesId: number; before: string }[],
  known: KnownPlaces | null = null,
): Promise<(Carry | null)[]> {
  if (wanted.length === 0) return [];
  return await withDatabaseErrors('read what went before', async () => {
    const { rows } = await db.query<CarryRow & { n: bigint }>({
      name: known === null ? 'carries_before' : 'carries_known_before',
      text:
        `SELECT t.n, c.* FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS t(series_id, before, n)
             CROSS JOIN LATERAL (
               SELECT w.series_id, ${CARRY} FROM windows w
               WHERE w.series_id = t.series_id AND w.start < t.before AND ${HOLDS_SOMETHING}
                 AND ${known === null ? IN_FORCE : IN_FORCE_AND_KNOWN}
               ORDER BY w.start DESC LIMIT 1
             ) c`,
      values: [
        literal(wanted.map(({ seriesId }) => seriesId)),
        literal(wanted.map(({ before }) => before)),
        ...known === null ? [] : [known.first, known.before],
      ],
    });
    const found = new Map(rows.map((row) => [Number(row.n), readCarry(row)]));
    return wanted.map((_, index) => found.get(index + 1) ?? null);
  });
}

/** The hours with readings next to an hour, of one series. */
export interface Neighbours {
  /** First instants; null if there is none. */
  before: string | null;
  after: string | null;
}

/** The nearest windows with readings before and after each hour. */
export async function neighboursOf(
  db: Queryable,
  wanted: readonly { seriesId: number; start: string }[],
): Promise<Neighbours[]> {
  if (wanted.length === 0) return [];
  return await withDatabaseErrors('find neighbouring windows', async () => {
    const { rows } = await db.query<Neighbours & { n: bigint }>({
      name: 'neighbours_of',
      text: `SELECT t.n,
               (SELECT max(w.start) FROM windows w
                WHERE w.series_id = t.series_id AND w.start < t.start AND w.count > 0) AS before,
               (SELECT min(w.start) FROM windows w
                WHERE w.series_id = t.series_id AND w.start > t.start AND w.count > 0) AS after
             FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS t(series_id, start, n)
             ORDER BY t.n`,
      values: [
        literal(wanted.map(({ seriesId }) => seriesId)),
        literal(wanted.map(({ start }) => start)),
      ],
    });
    return rows.map(({ before, after }) => ({ before, after }));
  });
}

/**
 * The start of the next window of each series from a time on that has readings in it, or else of the last
 * that has anything; null if there is none.
 */
export async function nextWindows(
  db: Queryable,
  wanted: readonly { seriesId: number; from: string }[],
): Promise<(string | null)[]> {
  if (wanted.length === 0) return [];
  return await withDatabaseErrors('find the next windows', async () => {
    const { rows } = await db.query<{ next: string | null }>({
      name: 'next_windows',
      text: `SELECT coalesce(
               (SELECT min(w.start) FROM windows w
                WHERE w.series_id = t.series_id AND w.start >= t.since AND w.count > 0),
               (SELECT max(w.start) FROM windows w
                WHERE w.series_id = t.series_id AND w.start >= t.since AND ${HOLDS_SOMETHING})
             ) AS next
             FROM unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS t(series_id, since, n)
             ORDER BY t.n`,
      values: [
        literal(wanted.map(({ seriesId }) => seriesId)),
        literal(wanted.map(({ from }) => from)),
      ],
    });
    return rows.map(({ next }) => next);
  });
}

interface CarryRow {
  series_id: number;
  /** Null of a window before the first reading, which says since when it holds. */
  at: string | null;
  volume: string | null;
  ended: boolean | null;
}

function readCarry({ at, volume, ended }: CarryRow): Carry | null {
  if (at === null || volume === null) return null;
  return { at: toMicros(at), volume: parseQuantity(volume), ended: ended ?? false };
}

function spanColumns(spans: readonly SeriesHours[]): string[] {
  return [
    literal(spans.map(({ seriesId }) => seriesId)),
    literal(spans.map(({ from }) => from)),
    literal(spans.map(({ to }) => to)),
  ];
}
