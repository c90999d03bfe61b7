import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { WINDOW_INVARIANTS } from './window_invariants.ts';

/** The runs of places whose samples are in archives alone. */
const ARCHIVED = `
  SELECT (run->>0)::bigint AS first, (run->>1)::bigint AS count
  FROM archives, jsonb_array_elements(places) AS run WHERE dropped_at IS NOT NULL`;

/** The leaves of all logs as runs of places, wherever their entries are. */
const LEAVES = `
  SELECT position, 1 AS count FROM samples UNION ALL SELECT position, 1 FROM records
  UNION ALL SELECT first, count FROM (${ARCHIVED}) archived`;

/** That no sample of `count` ones from `first` on is in an archive: those cannot be counted here. */
function nothingArchived(first: string, count: string): string {
  // One value, made once: as a join it would be taken for a costly one where no archive is.
  return `NOT coalesce(${first} IS NOT NULL AND int8range(${first}, ${first} + ${count}) && (
    SELECT range_agg(int8range(a.first, a.first + a.count)) FROM (${ARCHIVED}) a), false)`;
}

/**
 * What must hold in every database at every moment that another transaction can see. Each is a query
 * that gives the rows which break it. They read whole tables: for tests, faults and audits.
 */
export const INVARIANTS = {
  'an origin has as many samples as it says, one after the other': `
    SELECT origin_id, o.samples, o.first_position, s.found, s.first, s.last
    FROM origins o FULL JOIN (
      SELECT origin_id, count(*) AS found, min(position) AS first, max(position) AS last
      FROM samples GROUP BY origin_id
    ) s USING (origin_id)
    WHERE (o.samples IS DISTINCT FROM coalesce(s.found, 0)
      OR o.first_position IS DISTINCT FROM s.first
      OR s.last <> o.first_position + o.samples - 1)
      AND ${nothingArchived('o.first_position', 'o.samples')}`,
  'an outcome agrees with the samples': `
    SELECT origin_id, outcome, samples FROM origins
    WHERE (outcome = 1) <> (samples > 0) OR (samples > 0) <> (first_position IS NOT NULL)`,
  'no sample is there twice': 'SELECT id FROM samples GROUP BY id HAVING count(*) > 1',
  'no two samples of an origin are the same reading': `
    SELECT s.origin_id, r.meter, r.resource_id, s.ordinal
    FROM samples s JOIN series r USING (series_id)
    GROUP BY 1, 2, 3, 4 HAVING count(*) > 1`,
  'the positions of a log have no gap and no double': `
    WITH leaves AS (${LEAVES})
    SELECT position >> 40 AS log_id, sum(count), min(position), max(position + count - 1)
    FROM leaves GROUP BY 1
    HAVING count(DISTINCT position) <> count(*)
      OR min(position) <> (position >> 40) << 40
      OR max(position + count) - min(position) <> sum(count)`,
  'a log is as long as it says': `
    SELECT l.log_id, l.size, sum(e.count)
    FROM logs l LEFT JOIN (${LEAVES}) e ON e.position >> 40 = l.log_id
    GROUP BY l.log_id HAVING l.size <> coalesce(sum(e.count), 0)`,
  'every leaf belongs to a log': `
    SELECT e.position FROM (${LEAVES}) e LEFT JOIN logs l ON l.log_id = e.position >> 40 WHERE l.log_id IS NULL`,
  'a batch has as many samples as it says, within its times': `
    WITH placed AS (
      SELECT s.position, s.ts,
        (SELECT max(b.position) FROM batches b WHERE b.position <= s.position) AS batch
      FROM samples s
    )
    SELECT b.position, b.samples, count(p.position)
    FROM batches b FULL JOIN placed p ON p.batch = b.position
    GROUP BY b.position, b.samples, b.min_ts, b.max_ts
    HAVING b.position IS NULL OR ${nothingArchived('b.position', 'b.samples')} AND (
      count(p.position) <> b.samples OR max(p.position) >= b.position + b.samples
      OR min(p.ts) <> b.min_ts OR max(p.ts) <> b.max_ts)`,
  'a sample is within the log of its series': `
    SELECT s.position, r.log_id FROM samples s JOIN series r USING (series_id)
    WHERE s.position >> 40 <> r.log_id`,
  'a log has as many origins as it says': `
    SELECT l.log_id, l.origins_count, count(o.*)
    FROM logs l LEFT JOIN origins o ON o.origin_id >> 40 = l.log_id
    GROUP BY l.log_id HAVING l.origins_count <> count(o.*)`,
  'the last checkpoint signs the head': `
    SELECT l.log_id, l.size FROM logs l
    LEFT JOIN LATERAL (
      SELECT size, root FROM checkpoints c WHERE c.log_id = l.log_id ORDER BY size DESC LIMIT 1
    ) c ON true
    WHERE l.size > 0 AND (c.size IS DISTINCT FROM l.size OR c.root IS DISTINCT FROM l.root)`,
  'tiles hold the hashes of complete subtrees': `
    SELECT l.log_id, t.level, sum(octet_length(t.hashes)) / 32 AS hashes
    FROM logs l JOIN tiles t USING (log_id)
    GROUP BY l.log_id, l.size, t.level
    HAVING sum(octet_length(t.hashes)) <> 32 * (l.size >> (8 * t.level))`,
  'event counts add up to the origins and samples': `
    SELECT log_id, event_type_id FROM (
      SELECT log_id, event_type_id, sum(matched + unmatched)::bigint AS origins,
        sum(samples)::bigint AS samples
      FROM event_counts GROUP BY 1, 2
    ) c FULL JOIN (
      SELECT (origin_id >> 40)::smallint AS log_id, event_type_id, count(*) AS origins,
        sum(samples) AS samples
      FROM origins GROUP BY 1, 2
    ) o USING (log_id, event_type_id)
    WHERE c.origins IS DISTINCT FROM o.origins OR c.samples IS DISTINCT FROM o.samples`,
  'a row refers to rows that exist': `
    SELECT s.position FROM samples s
    LEFT JOIN series r USING (series_id) LEFT JOIN metadata m USING (metadata_id)
    WHERE r.series_id IS NULL OR m.metadata_id IS NULL
    UNION ALL
    SELECT b.position FROM batches b LEFT JOIN definition_sets d USING (definition_set_id)
    WHERE d.definition_set_id IS NULL`,
  'metadata and quarantine are what their digests say': `
    SELECT metadata_id FROM metadata WHERE sha256(convert_to(body, 'UTF8')) <> digest
    UNION ALL
    SELECT quarantine_id FROM quarantine WHERE sha256(bytes) <> digest`,
  ...WINDOW_INVARIANTS,
} as const;

export interface BrokenInvariant {
  name: string;
  /** A few of the rows that break it. */
  rows: Record<string, unknown>[];
}

const ROWS_SHOWN = 5;

/** The invariants that do not hold; an empty list if all is well. */
export async function brokenInvariants(db: Queryable): Promise<BrokenInvariant[]> {
  const broken: BrokenInvariant[] = [];
  for (const [name, query] of Object.entries(INVARIANTS)) {
    await withDatabaseErrors(`check that ${name}`, async () => {
      const { rows } = await db.query<Record<string, unknown>>(
        // Materialised, lest the planner choose a plan that is good for a few rows only.
        `WITH broken AS MATERIALIZED (${query}) SELECT * FROM broken LIMIT ${ROWS_SHOWN}`,
      );
      if (rows.length > 0) broken.push({ name, rows });
    });
  }
  return broken;
}
