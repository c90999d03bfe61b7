import { positionOf } from '../ledger/position.ts';
import { isCanonicalTimestamp } from '../meters/timestamp.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import { withDatabaseErrors } from './errors.ts';
import { completeRows, type SampleRow, type StoredSample, storedSample } from './sample_rows.ts';
import { addSeriesConditions } from './sample_filters.ts';
import type { Scope } from './scope.ts';

/** What the caller knows of a sample beside its id: it saves looking into every month. */
export interface SampleHint {
  timestamp?: string | undefined;
}

/**
 * The sample of an id (32 hexadecimal digits), null if there is none in `scope`. The Bloom filters of
 * the BRIN index narrow a month down to some ranges of pages; with the timestamp as a hint, only its
 * own month is looked at.
 */
export async function getSample(
  db: Queryable,
  scope: Scope,
  id: string,
  hint: SampleHint = {},
): Promise<StoredSample | null> {
  if (!/^[0-9a-f]{32}$/.test(id)) return null;
  const where = new Conditions();
  const wanted = where.bind(id);
  if (hint.timestamp === undefined) {
    return await readOne(db, scope, { where, from: `sample_of_id(${wanted}::uuid)`, what: id });
  }
  if (!isCanonicalTimestamp(hint.timestamp)) return null;
  where.add(`s.id = ${wanted}::uuid`);
  where.equal('s.ts', hint.timestamp);
  return await readOne(db, scope, { where, from: 'samples', what: id });
}

/** The sample at a leaf of a log, null if there is none in `scope` or it is another record. */
export async function sampleAt(
  db: Queryable,
  scope: Scope,
  logId: number,
  leafIndex: number,
): Promise<StoredSample | null> {
  const where = new Conditions();
  const position = where.bind(positionOf(logId, leafIndex));
  where.add(`s.position = ${position}`);
  // The batch knows the span of time, and with it the month.
  const batch = `(SELECT * FROM batches WHERE position <= ${position}
                  ORDER BY position DESC LIMIT 1)`;
  where.add(`s.ts >= (SELECT min_ts FROM ${batch} b) AND s.ts <= (SELECT max_ts FROM ${batch} b)`);
  return await readOne(db, scope, { where, from: 'samples', what: `${logId}/${leafIndex}` });
}

async function readOne(
  db: Queryable,
  scope: Scope,
  { where, from, what }: { where: Conditions; from: string; what: string },
): Promise<StoredSample | null> {
  addSeriesConditions(where, scope, {});
  return await withDatabaseErrors(`read sample '${what}'`, async () => {
    const page = `SELECT s.* FROM ${from} s JOIN series r USING (series_id) WHERE ${where.sql}`;
    const { rows } = await db.query<SampleRow>(completeRows(page, 's.position'), where.values);
    return rows[0] === undefined ? null : storedSample(rows[0]);
  });
}
