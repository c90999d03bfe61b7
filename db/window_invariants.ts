import { FIGURE_COLUMNS } from './window_columns.ts';
import { inForceBefore } from './windows.ts';

const IN_FORCE = inForceBefore(null);

/** The figures of days, or of months, that are not the sum of their hours, or days, in force. */
const SUMMED = [
  'count',
  'sum',
  'sum_squares',
  'increase',
  'resets',
  'steps_back',
  'integral',
  'covered',
];

function notTheSum(span: number, parts: string, unit: string): string {
  const sums = SUMMED.map((column) => `sum(p.${column}) AS ${column}`).join(', ');
  const differ = SUMMED.map((column) => `r.${column} IS DISTINCT FROM m.${column}`).join(' OR ');
  return `
    WITH r AS (
      SELECT DISTINCT ON (series_id, start) * FROM window_rollups WHERE span = ${span}
      ORDER BY series_id, start, revision DESC
    ), p AS (${parts}), m AS (
      SELECT p.series_id, date_trunc('${unit}', p.start, 'UTC') AS start, ${sums},
        min(p.min) AS min, max(p.max) AS max, min(p.first_at) AS first_at, max(p.last_at) AS last_at,
        bool_or(p.expired) AS expired
      FROM p JOIN series s USING (series_id) JOIN window_keepers k USING (log_id)
      WHERE date_trunc('${unit}', p.start, 'UTC') + interval '1 ${unit}' <= k.sealed_until
      GROUP BY 1, 2
    )
    SELECT series_id, start FROM r FULL JOIN m USING (series_id, start)
    WHERE ${differ} OR r.min IS DISTINCT FROM m.min OR r.max IS DISTINCT FROM m.max
      OR r.first_at IS DISTINCT FROM m.first_at OR r.last_at IS DISTINCT FROM m.last_at
      OR r.expired IS DISTINCT FROM m.expired`;
}

const HOURS = `SELECT w.series_id, w.start, ${FIGURE_COLUMNS.map((one) => `w.${one}`).join(', ')}
  FROM windows w WHERE ${IN_FORCE}`;
const DAYS = `SELECT DISTINCT ON (series_id, start) * FROM window_rollups WHERE span = 1
  ORDER BY series_id, start, revision DESC`;

/** What must hold of windows, seals and revisions at every moment: see db/invariants.ts. */
export const WINDOW_INVARIANTS = {
  'the hours of a log are sealed one after the other, each once': `
    SELECT k.log_id, count(s.start), min(s.start), max(s.start)
    FROM window_keepers k LEFT JOIN seals s USING (log_id)
    GROUP BY k.log_id, k.sealed_from, k.sealed_until
    HAVING count(s.start) * interval '1 hour' <> k.sealed_until - k.sealed_from
      OR min(s.start) <> k.sealed_from
      OR max(s.start) <> k.sealed_until - interval '1 hour'`,
  'a seal is of a log that has a keeper, at full hours, and its entry is there': `
    SELECT s.log_id, s.start FROM seals s
    LEFT JOIN window_keepers k USING (log_id) LEFT JOIN records r USING (position)
    WHERE k.log_id IS NULL OR r.kind IS DISTINCT FROM 'seal' OR s.position >> 40 <> s.log_id
      OR date_trunc('hour', s.start, 'UTC') <> s.start
      OR (r.entry::json ->> 'start')::timestamptz IS DISTINCT FROM s.start
      OR (r.entry::json ->> 'rows')::int IS DISTINCT FROM s.rows
      OR r.entry::json ->> 'root' IS DISTINCT FROM encode(s.root, 'hex')
      OR (r.entry::json ->> 'covers_to')::bigint IS DISTINCT FROM s.covers_to
      OR r.entry::json -> 'coverage' ->> 'digest'
        IS DISTINCT FROM encode(sha256(convert_to(s.coverage, 'UTF8')), 'hex')`,
  'a seal covers no more leaves than were there, nor than were looked through': `
    SELECT s.log_id, s.start FROM seals s JOIN window_keepers k USING (log_id)
    WHERE s.covers_to > s.position & ((1::bigint << 40) - 1) OR s.covers_to > k.scanned_to`,
  'a seal has as many windows as it says, at places without a gap': `
    SELECT s.log_id, s.start, s.rows, count(w.place)
    FROM seals s LEFT JOIN windows w ON w.position = s.position AND w.start = s.start AND w.revision = 0
    GROUP BY s.log_id, s.start, s.rows
    HAVING count(w.place) <> s.rows OR coalesce(max(w.place) + 1, 0) <> s.rows
      OR count(DISTINCT w.place) <> s.rows`,
  'a revision has as many windows as it says, at places without a gap': `
    SELECT r.position, r.changes, count(w.place)
    FROM revisions r LEFT JOIN windows w USING (position)
    GROUP BY r.position, r.changes
    HAVING count(w.place) <> r.changes OR max(w.place) + 1 <> r.changes
      OR count(DISTINCT w.place) <> r.changes OR min(w.revision) = 0`,
  'a window is vouched for by a seal or a revision of its log': `
    SELECT w.series_id, w.start, w.revision FROM windows w
    LEFT JOIN seals s ON s.position = w.position LEFT JOIN revisions r ON r.position = w.position
    JOIN series USING (series_id)
    WHERE (w.revision = 0) <> (s.position IS NOT NULL)
      OR (w.revision > 0) <> (r.position IS NOT NULL) OR w.position >> 40 <> series.log_id`,
  'the revisions of a window follow each other, in the log as well': `
    SELECT series_id, start, revision FROM (
      SELECT series_id, start, revision, position,
        lag(revision) OVER w AS former, lag(position) OVER w AS former_position
      FROM windows WINDOW w AS (PARTITION BY series_id, start ORDER BY revision)
    ) followed
    WHERE revision <> coalesce(former + 1, least(revision, 1)) OR position <= former_position`,
  'revisions look through the leaves one after the other': `
    SELECT position, covers_from, covers_to FROM (
      SELECT position, log_id, covers_from, covers_to,
        max(covers_to) OVER (PARTITION BY log_id ORDER BY covers_to
          RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS looked_through
      FROM revisions
    ) r JOIN window_keepers k USING (log_id)
    WHERE covers_from >= covers_to OR covers_from < looked_through OR covers_to > k.scanned_to`,
  'whole days are the sum of their hours in force': notTheSum(1, HOURS, 'day'),
  'whole months are the sum of their days in force': notTheSum(2, DAYS, 'month'),
} as const;
