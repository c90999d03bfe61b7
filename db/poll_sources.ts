import type { JsonObject } from '../meters/json.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** A source in force. */
export interface PollSource {
  cloud: string;
  name: string;
  /** As polling.yaml has it, in canonical JSON; no secret is in it. */
  spec: JsonObject;
  /** SHA-256 of the spec, hexadecimal. */
  digest: string;
  intervalSeconds: number;
  groups: number;
  /** Canonical UTC timestamps. */
  appliedAt: string;
  checkedUntil: string;
  scheduleCounts: Record<string, ScheduleCounts>;
}

/** What Temporal has counted of a Schedule since it was made. */
export interface ScheduleCounts {
  skipped_overlap: number;
}

const COLUMNS = `cloud, name, spec, digest, interval_seconds AS "intervalSeconds", groups,
  applied_at AS "appliedAt", checked_until AS "checkedUntil", schedule_counts AS "scheduleCounts"`;

/** The sources in force, by cloud and name. */
export async function listPollSources(db: Queryable): Promise<PollSource[]> {
  return await withDatabaseErrors('list the sources', async () => {
    const { rows } = await db.query<PollSource>(
      `SELECT ${COLUMNS} FROM poll_sources WHERE removed_at IS NULL ORDER BY cloud, name`,
    );
    return rows;
  });
}

/** A source in force, null if there is none of this name. */
export async function readPollSource(
  db: Queryable,
  cloud: string,
  name: string,
): Promise<PollSource | null> {
  return await withDatabaseErrors('read a source', async () => {
    const { rows } = await db.query<PollSource>({
      name: 'read_poll_source',
      text: `SELECT ${COLUMNS} FROM poll_sources
             WHERE cloud = $1 AND name = $2 AND removed_at IS NULL`,
      values: [cloud, name],
    });
    return rows[0] ?? null;
  });
}

export type AppliedSource = Pick<
  PollSource,
  'cloud' | 'name' | 'spec' | 'digest' | 'intervalSeconds' | 'groups'
>;

/** Puts a source in force. Its cycles are looked for from now on, or further on if it was there. */
export async function applyPollSource(
  db: Queryable,
  source: AppliedSource,
  now: string,
): Promise<void> {
  const { cloud, name, spec, digest, intervalSeconds, groups } = source;
  await withDatabaseErrors('apply a source', async () => {
    await db.query(
      `INSERT INTO poll_sources AS s
         (cloud, name, spec, digest, interval_seconds, groups, applied_at, checked_until)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
       ON CONFLICT (cloud, name) DO UPDATE SET spec = $3, digest = $4, interval_seconds = $5,
         groups = $6, applied_at = $7, removed_at = NULL,
         checked_until = CASE WHEN s.removed_at IS NULL AND s.interval_seconds = $5 AND s.groups = $6
           THEN s.checked_until ELSE $7 END`,
      [cloud, name, JSON.stringify(spec), digest, intervalSeconds, groups, now],
    );
  });
}

export async function removePollSource(
  db: Queryable,
  { cloud, name }: { cloud: string; name: string },
  now: string,
): Promise<void> {
  await withDatabaseErrors('remove a source', async () => {
    await db.query(
      'UPDATE poll_sources SET removed_at = $3 WHERE cloud = $1 AND name = $2 AND removed_at IS NULL',
      [cloud, name, now],
    );
  });
}

/** Notes that every cycle before `checkedUntil` is accounted for. */
export async function noteChecked(
  db: Queryable,
  { cloud, name }: { cloud: string; name: string },
  checked: { checkedUntil: string; scheduleCounts: Record<string, ScheduleCounts> },
): Promise<void> {
  await withDatabaseErrors('note what was checked', async () => {
    await db.query(
      `UPDATE poll_sources SET checked_until = greatest(checked_until, $3), schedule_counts = $4
       WHERE cloud = $1 AND name = $2`,
      [cloud, name, checked.checkedUntil, JSON.stringify(checked.scheduleCounts)],
    );
  });
}
