/** Rows that have an entry in the log, as they are stored, for the audit. */
import { positionOf } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { readWindowKeeper, type WindowKeeperRow } from './window_keepers.ts';

export interface StoredSeal {
  logId: number;
  start: string;
  position: number;
  rows: number;
  /** 64 hexadecimal digits. */
  root: string;
  coversTo: number;
  coverage: string;
  sealedAt: string;
  workflowId: string;
  runId: string;
}

export interface StoredRevision {
  position: number;
  logId: number;
  changes: number;
  coversFrom: number;
  coversTo: number;
  revisedAt: string;
  workflowId: string;
  runId: string;
}

const SEAL = `log_id AS "logId", start, position, rows, encode(root, 'hex') AS root,
  covers_to AS "coversTo", coverage, sealed_at AS "sealedAt", workflow_id AS "workflowId",
  run_id AS "runId"`;

type SealRow = Omit<StoredSeal, 'position' | 'coversTo'> & { position: bigint; coversTo: bigint };

export async function readSeal(
  db: Queryable,
  logId: number,
  start: string,
): Promise<StoredSeal | null> {
  return await withDatabaseErrors(`read the seal of ${start} in log ${logId}`, async () => {
    const { rows } = await db.query<SealRow>(
      `SELECT ${SEAL} FROM seals WHERE log_id = $1 AND start = $2`,
      [logId, start],
    );
    const [row] = rows;
    return row === undefined
      ? null
      : { ...row, position: Number(row.position), coversTo: Number(row.coversTo) };
  });
}

/** A sealed hour. */
export interface SealedHour {
  logId: number;
  start: string;
}

/** The hours that were sealed up to a time, by log and start. */
export async function sealedHours(db: Queryable, until: string): Promise<SealedHour[]> {
  return await withDatabaseErrors('list the sealed hours', async () => {
    const { rows } = await db.query<SealedHour>(
      'SELECT log_id AS "logId", start FROM seals WHERE sealed_at <= $1 ORDER BY log_id, start',
      [until],
    );
    return rows;
  });
}

/** The hours that have windows, of all logs. */
export async function hoursWithWindows(db: Queryable): Promise<SealedHour[]> {
  return await withDatabaseErrors('list the hours with windows', async () => {
    const { rows } = await db.query<SealedHour>(
      `SELECT DISTINCT (position >> 40)::int AS "logId", start FROM windows ORDER BY 1, 2`,
    );
    return rows;
  });
}

/** The entries that changed windows of an hour, in their order. */
export async function revisionsOfHour(
  db: Queryable,
  { logId, start }: SealedHour,
): Promise<number[]> {
  return await withDatabaseErrors(`read the revisions of ${start}`, async () => {
    const { rows } = await db.query<{ position: bigint }>(
      `SELECT DISTINCT position FROM windows
       WHERE start = $1 AND revision > 0 AND position >= $2 AND position < $3 ORDER BY position`,
      [start, positionOf(logId, 0), positionOf(logId + 1, 0)],
    );
    return rows.map(({ position }) => Number(position));
  });
}

export async function readRevision(
  db: Queryable,
  position: number,
): Promise<StoredRevision | null> {
  return await withDatabaseErrors(`read the revision at place ${position}`, async () => {
    const { rows } = await db.query<
      & Omit<StoredRevision, 'position' | 'coversFrom' | 'coversTo'>
      & Record<
        'position' | 'coversFrom' | 'coversTo',
        bigint
      >
    >(
      `SELECT position, log_id AS "logId", changes, covers_from AS "coversFrom",
         covers_to AS "coversTo", revised_at AS "revisedAt", workflow_id AS "workflowId",
         run_id AS "runId"
       FROM revisions WHERE position = $1`,
      [position],
    );
    const [row] = rows;
    return row === undefined ? null : {
      ...row,
      position: Number(row.position),
      coversFrom: Number(row.coversFrom),
      coversTo: Number(row.coversTo),
    };
  });
}

/** The places of all entries of a kind that a row of `table` must stand beside, and of all such rows. */
export async function unpairedPlaces(
  db: Queryable,
  table: 'seals' | 'revisions' | 'statements' | 'workflow_histories' | 'archives',
  kind: string,
): Promise<{ entry: number | null; row: number | null }[]> {
  return await withDatabaseErrors(`pair ${table} with their entries`, async () => {
    const { rows } = await db.query<{ entry: bigint | null; row: bigint | null }>(
      `SELECT e.position AS entry, t.position AS row
       FROM (SELECT position FROM records WHERE kind = $1) e
       FULL JOIN (SELECT position FROM ${table}) t USING (position)
       WHERE e.position IS NULL OR t.position IS NULL ORDER BY 1, 2 LIMIT 100`,
      [kind],
    );
    return rows.map(({ entry, row }) => ({
      entry: entry === null ? null : Number(entry),
      row: row === null ? null : Number(row),
    }));
  });
}

/** The usage rules of a digest as stored: canonical JSON. Null if there are none. */
export async function readUsageRules(db: Queryable, digest: string): Promise<string | null> {
  return await withDatabaseErrors('read usage rules', async () => {
    const { rows } = await db.query<{ rules: string }>(
      "SELECT rules FROM usage_rule_sets WHERE digest = decode($1, 'hex')",
      [digest],
    );
    return rows[0]?.rules ?? null;
  });
}

/** The digests of the rules that the hours before a time were sealed by, newest change first. */
export async function rulesBefore(
  db: Queryable,
  { logId, start }: SealedHour,
): Promise<string[]> {
  return await withDatabaseErrors('read the rules of former hours', async () => {
    const { rows } = await db.query<{ rules: string }>(
      `SELECT DISTINCT r.entry::json ->> 'rules' AS rules
       FROM seals s JOIN records r USING (position) WHERE s.log_id = $1 AND s.start < $2`,
      [logId, start],
    );
    return rows.map(({ rules }) => rules);
  });
}

export async function readKeepers(db: Queryable): Promise<WindowKeeperRow[]> {
  const { rows } = await db.query<{ log_id: number }>(
    'SELECT log_id FROM window_keepers ORDER BY log_id',
  );
  const keepers = await Promise.all(rows.map(({ log_id }) => readWindowKeeper(db, log_id)));
  return keepers.filter((keeper) => keeper !== null);
}
