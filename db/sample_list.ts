import { positionOf } from '../ledger/position.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';
import {
  addKnown,
  addMetadataConditions,
  addSeriesConditions,
  checkSpan,
  hasMetadataFilter,
  type SampleFilters,
} from './sample_filters.ts';
import { completeRows, type SampleRow, type StoredSample, storedSample } from './sample_rows.ts';
import type { Scope } from './scope.ts';

export interface SampleListRequest extends PageRequest {
  /** By timestamp, then by place in the log; `newest` unless given. */
  order?: 'newest' | 'oldest' | undefined;
}

/** Spans of time that are searched one after the other, in minutes: each is about 8 times the last. */
const FIRST_SPAN_MICROS = 60_000_000n;
const SPAN_GROWTH = 8n;

/**
 * Samples by their timestamps. There is no index over all timestamps (28 bytes a sample): a page is
 * searched in growing spans of time from its beginning, each narrowed down by the BRIN index or by that
 * of the series, until it is full.
 *
 * @throws {NephoError} `limit_invalid`, `cursor_invalid`, `timestamp_invalid`
 */
export async function listSamples(
  db: Queryable,
  scope: Scope,
  filters: SampleFilters,
  request: SampleListRequest,
): Promise<Page<StoredSample>> {
  const { limit, cursor, order = 'newest' } = request;
  checkLimit(limit);
  checkSpan(filters);
  const list = `samples ${order}`;
  const key = decodeCursor(list, cursor, ['string', 'number']);
  const after = key === null ? null : { ts: String(key[0]), position: Number(key[1]) };
  return await withDatabaseErrors('list samples', async () => {
    const rows: SampleRow[] = [];
    for (
      const span of spansOf(await boundsOf(db, filters, { order, after: after?.ts ?? null }), order)
    ) {
      const missing = limit + 1 - rows.length;
      if (missing === 0) break;
      rows.push(...await readSpan(db, scope, filters, { span, order, after, limit: missing }));
    }
    const page = pageOf(rows, limit, (row) => encodeCursor(list, [row.ts, Number(row.position)]));
    return { rows: page.rows.map(storedSample), nextCursor: page.nextCursor };
  });
}

/**
 * Samples of one log in the order of their leaves, from leaf `from` on: the order in which they became
 * known, and so the one to follow. The cursor never ends: the last page's leads to what comes later.
 *
 * @throws {NephoError} `limit_invalid`
 */
export async function listLogSamples(
  db: Queryable,
  scope: Scope,
  filters: SampleFilters,
  { logId, from, limit }: { logId: number; from: number; limit: number },
): Promise<{ rows: StoredSample[]; nextLeaf: number }> {
  checkLimit(limit);
  checkSpan(filters);
  return await withDatabaseErrors(`list samples of log ${logId}`, async () => {
    const rows: StoredSample[] = [];
    const { size } = await sizeOf(db, logId);
    let leaf = from;
    for (let width = limit; leaf < size && rows.length < limit; width *= 8) {
      const to = Math.min(size, leaf + width);
      const found = await readLeaves(db, scope, filters, {
        from: positionOf(logId, leaf),
        to: positionOf(logId, to),
        limit: limit - rows.length,
      });
      rows.push(...found);
      // A full page may end before the span does.
      const last = found.at(-1);
      leaf = rows.length === limit && last !== undefined ? last.leafIndex + 1 : to;
    }
    return { rows, nextLeaf: leaf };
  });
}

type Order = 'newest' | 'oldest';

/** Half-open, in canonical timestamps. */
interface Span {
  from: string;
  to: string;
}

/** Where samples can be at all: within the filters, after the cursor, within what is stored. */
async function boundsOf(
  db: Queryable,
  filters: SampleFilters,
  { order, after }: { order: Order; after: string | null },
): Promise<Span | null> {
  const { rows } = await db.query<{ min: string | null; max: string | null }>(
    'SELECT (SELECT min(min_ts) FROM batches) AS min, (SELECT max(max_ts) FROM batches) AS max',
  );
  const { min = null, max = null } = rows[0] ?? {};
  if (min === null || max === null) return null;
  let from = latest(min, filters.from);
  let to = earliest(justAfter(max), filters.to);
  if (after !== null && order === 'newest') to = earliest(to, justAfter(after));
  if (after !== null && order === 'oldest') from = latest(from, after);
  return { from, to };
}

function* spansOf(bounds: Span | null, order: Order): Generator<Span> {
  if (bounds === null) return;
  const [first, last] = [toMicros(bounds.from), toMicros(bounds.to)];
  let width = FIRST_SPAN_MICROS;
  let done = 0n;
  while (first + done < last) {
    const next = first + done + width < last ? done + width : last - first;
    yield order === 'oldest'
      ? { from: formatMicros(first + done), to: formatMicros(first + next) }
      : { from: formatMicros(last - next), to: formatMicros(last - done) };
    done = next;
    width *= SPAN_GROWTH;
  }
}

interface SpanRequest {
  span: Span;
  order: Order;
  after: { ts: string; position: number } | null;
  limit: number;
}

async function readSpan(
  db: Queryable,
  scope: Scope,
  filters: SampleFilters,
  { span, order, after, limit }: SpanRequest,
): Promise<SampleRow[]> {
  const where = new Conditions();
  where.add(`s.ts >= ${where.bind(span.from)} AND s.ts < ${where.bind(span.to)}`);
  const [sign, direction] = order === 'newest' ? ['<', 'DESC'] : ['>', 'ASC'];
  if (after !== null) {
    where.add(
      `(s.ts, s.position) ${sign} (${where.bind(after.ts)}, ${where.bind(after.position)})`,
    );
  }
  const orderBy = `s.ts ${direction}, s.position ${direction}`;
  return await readPage(db, { scope, filters, where, orderBy, limit });
}

async function readLeaves(
  db: Queryable,
  scope: Scope,
  filters: SampleFilters,
  { from, to, limit }: { from: number; to: number; limit: number },
): Promise<StoredSample[]> {
  const span = await db.query<{ min: string | null; max: string | null }>(
    `SELECT min(min_ts) AS min, max(max_ts) AS max FROM batches
     WHERE position < $2 AND position >= coalesce(
       (SELECT max(position) FROM batches WHERE position <= $1), $1)`,
    [from, to],
  );
  const { min = null, max = null } = span.rows[0] ?? {};
  if (min === null || max === null) return [];
  const where = new Conditions();
  where.add(`s.position >= ${where.bind(from)} AND s.position < ${where.bind(to)}`);
  where.add(`s.ts >= ${where.bind(latest(min, filters.from))}`);
  where.add(`s.ts < ${where.bind(earliest(justAfter(max), filters.to))}`);
  const rows = await readPage(db, { scope, filters, where, orderBy: 's.position', limit });
  return rows.map(storedSample);
}

interface PageQuery {
  scope: Scope;
  filters: SampleFilters;
  where: Conditions;
  orderBy: string;
  limit: number;
}

async function readPage(
  db: Queryable,
  { scope, filters, where, orderBy, limit }: PageQuery,
): Promise<SampleRow[]> {
  addSeriesConditions(where, scope, filters);
  addMetadataConditions(where, filters);
  addKnown(where, filters);
  const metadata = hasMetadataFilter(filters) ? 'JOIN metadata m USING (metadata_id)' : '';
  const page = `
    SELECT s.* FROM samples s JOIN series r USING (series_id) ${metadata}
    WHERE ${where.sql} ORDER BY ${orderBy} LIMIT ${where.bind(limit)}`;
  const { rows } = await db.query<SampleRow>(completeRows(page, orderBy), where.values);
  return rows;
}

async function sizeOf(db: Queryable, logId: number): Promise<{ size: number }> {
  const { rows } = await db.query<{ size: bigint }>('SELECT size FROM logs WHERE log_id = $1', [
    logId,
  ]);
  return { size: Number(rows[0]?.size ?? 0n) };
}

function justAfter(timestamp: string): string {
  return formatMicros(toMicros(timestamp) + 1n);
}

function earliest(left: string, right: string | undefined): string {
  return right !== undefined && right < left ? right : left;
}

function latest(left: string, right: string | undefined): string {
  return right !== undefined && right > left ? right : left;
}
