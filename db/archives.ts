import type { PoolClient } from 'pg';
import { LEAVES_PER_LOG } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** A run of places that follow each other: `[position, count]`. */
export type PlaceRun = [position: number, count: number];

/** A month of samples that was written to a file. */
export interface Archive {
  /** The partition that it was: `samples_2026_10`. */
  name: string;
  /** Place of its `archive` entry. */
  position: number;
  samples: number;
  bytes: number;
  /** SHA-256 of the file. */
  digest: Uint8Array;
  places: PlaceRun[];
  archivedAt: string;
  /** Since when the file alone has the samples; null as long as the database has them too. */
  droppedAt: string | null;
}

interface ArchiveRow {
  name: string;
  position: bigint;
  samples: bigint;
  bytes: bigint;
  digest: Uint8Array;
  places: PlaceRun[];
  archived_at: string;
  dropped_at: string | null;
}

const SELECT =
  'SELECT name, position, samples, bytes, digest, places, archived_at, dropped_at FROM archives';

/** All archives, the oldest month first. */
export async function listArchives(db: Queryable): Promise<Archive[]> {
  return await withDatabaseErrors('list the archives', async () => {
    const { rows } = await db.query<ArchiveRow>(`${SELECT} ORDER BY name`);
    return rows.map(archiveOf);
  });
}

/** One archive, null if there is none of that name. */
export async function readArchive(db: Queryable, name: string): Promise<Archive | null> {
  return await withDatabaseErrors(`read archive '${name}'`, async () => {
    const { rows } = await db.query<ArchiveRow>(`${SELECT} WHERE name = $1`, [name]);
    return rows[0] === undefined ? null : archiveOf(rows[0]);
  });
}

/** The first instant whose samples, and all after it, are in the database; null if none were dropped. */
export async function droppedUntil(db: Queryable): Promise<string | null> {
  return await withDatabaseErrors('read which samples were dropped', async () => {
    const { rows } = await db.query<{ until: string | null }>(
      `SELECT max((to_date(substr(name, 9), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC') AS until
       FROM archives WHERE dropped_at IS NOT NULL`,
    );
    return rows[0]?.until ?? null;
  });
}

/** The archives that alone have samples at places from `from` (included) to `to` (excluded). */
export async function archivesHolding(
  db: Queryable,
  { from, to }: { from: number; to: number },
): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT name FROM archives WHERE dropped_at IS NOT NULL AND EXISTS (
       SELECT 1 FROM jsonb_array_elements(places) AS run
       WHERE (run->>0)::bigint < $2 AND (run->>0)::bigint + (run->>1)::bigint > $1)
     ORDER BY name`,
    [from, to],
  );
  return rows.map(({ name }) => name);
}

/** Within the transaction that appends its entry; an archive that was made anew takes the place of the former. */
export async function putArchive(tx: PoolClient, archive: Archive): Promise<void> {
  await tx.query(
    `INSERT INTO archives (name, position, samples, bytes, digest, places, archived_at, dropped_at)
     VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8)
     ON CONFLICT (name) DO UPDATE SET position = excluded.position, samples = excluded.samples,
       bytes = excluded.bytes, digest = excluded.digest, places = excluded.places,
       archived_at = excluded.archived_at, dropped_at = excluded.dropped_at`,
    [
      archive.name,
      archive.position,
      archive.samples,
      archive.bytes,
      archive.digest,
      JSON.stringify(archive.places),
      archive.archivedAt,
      archive.droppedAt,
    ],
  );
}

/** Collects places, ascending, as runs. A run does not go on from one log into the next. */
export class PlaceRuns {
  readonly runs: PlaceRun[] = [];

  add(position: number): void {
    const last = this.runs.at(-1);
    const follows = last !== undefined && last[0] + last[1] === position &&
      position % LEAVES_PER_LOG !== 0;
    if (follows) last[1] += 1;
    else this.runs.push([position, 1]);
  }
}

function archiveOf(row: ArchiveRow): Archive {
  return {
    name: row.name,
    position: Number(row.position),
    samples: Number(row.samples),
    bytes: Number(row.bytes),
    digest: row.digest,
    places: row.places,
    archivedAt: row.archived_at,
    droppedAt: row.dropped_at,
  };
}
