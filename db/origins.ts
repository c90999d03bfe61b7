import { originKey } from '../ledger/identity.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { listQuarantine, type QuarantinedMessage } from './quarantine.ts';
import { completeRows, type SampleRow, type StoredSample, storedSample } from './sample_rows.ts';
import { Conditions } from './conditions.ts';
import { addSeriesConditions } from './sample_filters.ts';
import type { Scope } from './scope.ts';

export const OUTCOME_NAMES = ['samples', 'unmatched', 'without_volume'] as const;
export type OriginOutcome = (typeof OUTCOME_NAMES)[number];

/** A notification that was understood, and what came of it. */
export interface StoredOrigin {
  source: string;
  /** The origin id: its message id, as a rule. */
  origin: string;
  eventType: string | null;
  outcome: OriginOutcome;
  /** Samples that it gave. */
  sampleCount: number;
  /** How often it came again; that changed nothing. */
  redelivered: number;
  receivedAt: string;
}

/** All that is known of an origin id. */
export interface OriginStory {
  /** One for each source that has a notification of this id. */
  understood: (StoredOrigin & { samples: StoredSample[] })[];
  quarantined: QuarantinedMessage[];
}

interface OriginRow {
  source: string;
  origin: string;
  event_type: string | null;
  outcome: number;
  samples: number;
  first_position: bigint | null;
  redelivered: number;
  received_at: string;
}

/** Quarantined messages of one origin id that are told of. */
const MAX_QUARANTINED = 100;

/** A notification that was understood, null if there is none. Says nothing of its samples' owners. */
export async function readOrigin(
  db: Queryable,
  source: string,
  origin: string,
): Promise<StoredOrigin | null> {
  return await withDatabaseErrors(`read notification '${origin}'`, async () => {
    const rows = await originRows(db, [source], origin);
    return rows[0] === undefined ? null : originOf(rows[0]);
  });
}

/**
 * What became of the notification of an origin id: of that `source`, or of any that has samples. A
 * project is told of its own samples alone; what gave it none, and the quarantine, are an operator's.
 */
export async function explainOrigin(
  db: Queryable,
  scope: Scope,
  origin: string,
  { sources }: { sources?: readonly string[] | undefined } = {},
): Promise<OriginStory> {
  return await withDatabaseErrors(`explain notification '${origin}'`, async () => {
    const understood: OriginStory['understood'] = [];
    for (const row of await originRows(db, sources ?? await knownSources(db), origin)) {
      const samples = await samplesOf(db, scope, row);
      if (scope !== 'all' && samples.length === 0) continue;
      // To a project the number of others' samples in the same notification would tell of them.
      const sampleCount = scope === 'all' ? row.samples : samples.length;
      understood.push({ ...originOf(row), sampleCount, samples });
    }
    if (scope !== 'all') return { understood, quarantined: [] };
    const { rows: quarantined } = await listQuarantine(db, { origin }, { limit: MAX_QUARANTINED });
    return { understood, quarantined };
  });
}

async function originRows(
  db: Queryable,
  sources: readonly string[],
  origin: string,
): Promise<OriginRow[]> {
  const { rows } = await db.query<OriginRow>(
    `SELECT o.source, o.origin, t.name AS event_type, o.outcome, o.samples, o.first_position,
       o.redelivered, o.received_at
     FROM origins o LEFT JOIN event_types t USING (event_type_id)
     WHERE o.key = ANY($1::uuid[]) ORDER BY o.source`,
    [sources.map((source) => originKey(source, origin))],
  );
  return rows;
}

/** Few, but found by reading all series. */
async function knownSources(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ source: string }>('SELECT DISTINCT source FROM series');
  return [...new Set(['openstack', ...rows.map((row) => row.source)])];
}

async function samplesOf(db: Queryable, scope: Scope, row: OriginRow): Promise<StoredSample[]> {
  if (row.first_position === null || row.samples === 0) return [];
  const where = new Conditions();
  const first = where.bind(row.first_position);
  where.add(
    `s.position >= ${first} AND s.position < ${first}::bigint + ${where.bind(row.samples)}`,
  );
  // All samples of a notification are in one batch.
  const batch = `(SELECT * FROM batches WHERE position <= ${first}
                  ORDER BY position DESC LIMIT 1)`;
  where.add(`s.ts >= (SELECT min_ts FROM ${batch} b) AND s.ts <= (SELECT max_ts FROM ${batch} b)`);
  addSeriesConditions(where, scope, {});
  const page = `SELECT s.* FROM samples s JOIN series r USING (series_id) WHERE ${where.sql}`;
  const { rows } = await db.query<SampleRow>(completeRows(page, 's.position'), where.values);
  return rows.map(storedSample);
}

function originOf(row: OriginRow): StoredOrigin {
  return {
    source: row.source,
    origin: row.origin,
    eventType: row.event_type,
    outcome: OUTCOME_NAMES[row.outcome - 1] ?? 'samples',
    sampleCount: row.samples,
    redelivered: row.redelivered,
    receivedAt: row.received_at,
  };
}
