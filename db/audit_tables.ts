/** Tables whose rows name themselves by a hash, read in pages for the audit. */
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

const PAGE = 5_000;

export interface SeriesRow {
  series_id: number;
  key: string;
  log_id: number;
  meter: string;
  type: string;
  unit: string;
  project_id: string | null;
  user_id: string | null;
  resource_id: string;
  source: string;
}

export interface OriginRow {
  origin_id: bigint;
  key: string;
  source: string;
  origin: string;
}

export function seriesPages(db: Queryable): AsyncGenerator<SeriesRow[]> {
  return pages<SeriesRow>(db, {
    query: `SELECT series_id, replace(key::text, '-', '') AS key, log_id, meter, type, unit,
        project_id, user_id, resource_id, source
      FROM series WHERE series_id > $1 ORDER BY series_id LIMIT ${PAGE}`,
    idOf: ({ series_id }) => BigInt(series_id),
  });
}

export function originPages(db: Queryable): AsyncGenerator<OriginRow[]> {
  return pages<OriginRow>(db, {
    query: `SELECT origin_id, replace(key::text, '-', '') AS key, source, origin
      FROM origins WHERE origin_id > $1 ORDER BY origin_id LIMIT ${PAGE}`,
    idOf: ({ origin_id }) => origin_id,
  });
}

async function* pages<Row extends object>(
  db: Queryable,
  { query, idOf }: { query: string; idOf: (row: Row) => bigint },
): AsyncGenerator<Row[]> {
  for (let after = -1n;;) {
    const page = await withDatabaseErrors('read a table for the audit', async () => {
      const { rows } = await db.query<Row>(query, [after]);
      return rows;
    });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = idOf(last);
  }
}

export interface NamedSet {
  /** 64 hexadecimal digits. */
  digest: string;
  /** JSON. */
  text: string;
  /** True if an entry of a log names it. */
  isNamed: boolean;
}

/** The definition sets; `text` is the list of their files. */
export async function definitionSets(db: Queryable): Promise<NamedSet[]> {
  return await namedSets(db, { table: 'definition_sets', column: 'files', kind: 'definitions' });
}

/** The sets of usage rules. */
export async function usageRuleSets(db: Queryable): Promise<NamedSet[]> {
  return await namedSets(db, { table: 'usage_rule_sets', column: 'rules', kind: 'usage_rules' });
}

async function namedSets(
  db: Queryable,
  { table, column, kind }: { table: string; column: string; kind: string },
): Promise<NamedSet[]> {
  return await withDatabaseErrors(`read ${table}`, async () => {
    const { rows } = await db.query<NamedSet>(
      `SELECT encode(t.digest, 'hex') AS digest, t.${column}::text AS text,
         EXISTS (SELECT 1 FROM records r WHERE r.kind = $1
           AND r.entry::json ->> 'digest' = encode(t.digest, 'hex')) AS "isNamed"
       FROM ${table} t ORDER BY t.digest`,
      [kind],
    );
    return rows;
  });
}

/** The sets that entries name and that are not there. */
export async function missingSets(
  db: Queryable,
  table: 'definition_sets' | 'usage_rule_sets',
): Promise<string[]> {
  const kind = table === 'definition_sets' ? 'definitions' : 'usage_rules';
  return await withDatabaseErrors(`look for missing rows of ${table}`, async () => {
    const { rows } = await db.query<{ digest: string }>(
      `SELECT DISTINCT r.entry::json ->> 'digest' AS digest FROM records r
       WHERE r.kind = $1 AND NOT EXISTS (
         SELECT 1 FROM ${table} t WHERE encode(t.digest, 'hex') = r.entry::json ->> 'digest')`,
      [kind],
    );
    return rows.map(({ digest }) => digest);
  });
}

/** Rows of other tables that belong to no log, or not to the one that their place is in; the first 100. */
export async function strayRows(db: Queryable): Promise<{ row: string; detail: string }[]> {
  return await withDatabaseErrors('look for stray rows', async () => {
    const { rows } = await db.query<{ row: string; detail: string }>(
      `SELECT * FROM (
         SELECT 'checkpoints: size ' || c.size || ' of log ' || c.log_id AS row,
           'logs has no such row' AS detail
         FROM checkpoints c LEFT JOIN logs l USING (log_id) WHERE l.log_id IS NULL
         UNION ALL SELECT 'tiles: ' || level || '/' || tile || ' of log ' || log_id, 'logs has no such row'
         FROM tiles LEFT JOIN logs l USING (log_id) WHERE l.log_id IS NULL
         UNION ALL SELECT 'seals: ' || start || ' in log ' || log_id, 'its entry is in another log'
         FROM seals WHERE log_id <> position >> 40
         UNION ALL SELECT 'revisions: place ' || position, 'its entry is in another log'
         FROM revisions WHERE log_id <> position >> 40
         UNION ALL SELECT 'checkpoints: size ' || b.size || ' of log ' || b.log_id,
           'it is not there, although a transaction ended at it'
         FROM (
           SELECT position >> 40 AS log_id, (position & ((1::bigint << 40) - 1)) + samples AS size
           FROM batches
           UNION ALL
           SELECT position >> 40, (position & ((1::bigint << 40) - 1)) + 1 FROM seals
         ) b LEFT JOIN checkpoints c USING (log_id, size) WHERE c.log_id IS NULL
       ) stray LIMIT 100`,
    );
    return rows;
  });
}

export interface KeeperGap {
  logId: number;
  detail: string;
}

/** The logs whose keeper does not say what their seals say. */
export async function keeperGaps(db: Queryable): Promise<KeeperGap[]> {
  return await withDatabaseErrors('hold keepers against seals', async () => {
    const { rows } = await db.query<KeeperGap>(
      `SELECT coalesce(k.log_id, s.log_id) AS "logId",
         'sealed from ' || coalesce(k.sealed_from::text, 'nowhere') || ' until ' ||
         coalesce(k.sealed_until::text, 'nowhere') || ' and looked through to leaf ' ||
         coalesce(k.scanned_to::text, 'none') || '; ' || coalesce(s.hours, 0) || ' seals cover ' ||
         coalesce(s.first::text, 'nothing') || ' to ' || coalesce(s.last::text, 'nothing') AS detail
       FROM window_keepers k FULL JOIN (
         SELECT log_id, count(*) AS hours, min(start) AS first,
           max(start) + interval '1 hour' AS last, max(covers_to) AS covered
         FROM seals GROUP BY log_id
       ) s USING (log_id)
       LEFT JOIN (SELECT log_id, max(covers_to) AS revised FROM revisions GROUP BY log_id) r
         USING (log_id)
       LEFT JOIN logs l USING (log_id)
       WHERE k.log_id IS NULL OR k.sealed_until > k.sealed_from AND (
           s.log_id IS NULL OR k.sealed_from <> s.first OR k.sealed_until <> s.last
           OR s.hours <> extract(epoch FROM k.sealed_until - k.sealed_from) / 3600)
         OR k.scanned_to < coalesce(s.covered, 0) OR k.scanned_to < coalesce(r.revised, 0)
         OR k.scanned_to > coalesce(l.size, 0)`,
    );
    return rows;
  });
}
