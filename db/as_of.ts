import { positionOf } from '../ledger/position.ts';
import { NephoError } from '../meters/errors.ts';
import type { Queryable } from './client.ts';
import type { Conditions } from './conditions.ts';
import { withDatabaseErrors } from './errors.ts';

/** When a question is to be answered for: an instant, or the very checkpoints that an answer named. */
export type AsOf =
  /** Canonical timestamp. */
  | { readonly instant: string }
  | { readonly checkpoints: readonly CheckpointName[] };

export interface CheckpointName {
  /** The log's origin line. */
  readonly origin: string;
  readonly size: number;
}

/** How far one log was known. */
export interface LogSize extends CheckpointName {
  readonly logId: number;
  /** Root of the tree of `size` leaves, 64 hexadecimal digits. */
  readonly root: string;
  readonly signedAt: string;
}

/**
 * What was known at a time: the checkpoints of the logs, by log. A log that is not named had not begun.
 * Everything that is read of seals, revisions and samples is cut by these sizes, never by clocks, so that
 * the same sizes always give the same answer.
 */
export type LogSizes = readonly LogSize[];

/**
 * Asks that the leaf of `column`, a place, was known. By an array over the log ids, since there may be
 * thousands of logs; of one that had not begun it has none, and nothing is known.
 */
export function addKnownCondition(where: Conditions, column: string, sizes: LogSizes): void {
  const before: (number | null)[] = [];
  for (const size of sizes) before[size.logId] = knownBefore(size);
  const array = where.bind(Array.from(before, (place) => place ?? null));
  where.add(`${column} < (${array}::bigint[])[(${column} >> 40)::int + 1]`);
}

/** Place of the first leaf that is not known: positions of the log below it are. */
export function knownBefore({ logId, size }: Pick<LogSize, 'logId' | 'size'>): number {
  return positionOf(logId, size);
}

/**
 * The checkpoints by which a question is answered: the newest ones, those that were the newest at an
 * instant, or those named.
 *
 * @throws {NephoError} `as_of_in_future`, `as_of_unknown` for a checkpoint that no log has,
 *   `as_of_incomplete` for a list without a log that had begun by then
 */
export async function resolveAsOf(db: Queryable, asOf?: AsOf): Promise<LogSizes> {
  return await withDatabaseErrors('read the checkpoints', async () => {
    if (asOf === undefined) return await newest(db);
    return 'instant' in asOf ? await newestAt(db, asOf.instant) : await named(db, asOf.checkpoints);
  });
}

interface Row {
  log_id: number;
  origin: string;
  size: bigint;
  root: string;
  signed_at: string;
}

const COLUMNS = "l.log_id, l.origin, c.size, encode(c.root, 'hex') AS root, c.signed_at";

async function newest(db: Queryable): Promise<LogSizes> {
  const { rows } = await db.query<Row>(
    `SELECT ${COLUMNS} FROM logs l JOIN checkpoints c USING (log_id, size) ORDER BY l.log_id`,
  );
  return rows.map(logSize);
}

async function newestAt(db: Queryable, instant: string): Promise<LogSizes> {
  const { rows } = await db.query<Row & { is_future: boolean }>(
    `SELECT ${COLUMNS}, t.is_future
     FROM (SELECT $1::timestamptz > clock_timestamp() AS is_future) t
     LEFT JOIN logs l ON true
     LEFT JOIN LATERAL (
       SELECT size, root, signed_at FROM checkpoints
       WHERE checkpoints.log_id = l.log_id AND signed_at <= $1
       ORDER BY signed_at DESC, size DESC LIMIT 1
     ) c ON true
     ORDER BY l.log_id`,
    [instant],
  );
  if (rows[0]?.is_future === true) {
    throw new NephoError(
      'as_of_in_future',
      `Cannot say what is known at ${instant}: it lies in the future, ask for an earlier instant`,
    );
  }
  // A log without a checkpoint by then had not begun.
  return rows.filter(({ size }) => size !== null).map(logSize);
}

async function named(db: Queryable, names: readonly CheckpointName[]): Promise<LogSizes> {
  const { rows } = await db.query<Row>(
    `SELECT ${COLUMNS}
     FROM unnest($1::text[], $2::bigint[]) AS n(origin, size)
     JOIN logs l USING (origin) JOIN checkpoints c ON c.log_id = l.log_id AND c.size = n.size
     ORDER BY l.log_id`,
    [names.map(({ origin }) => origin), names.map(({ size }) => size)],
  );
  const sizes = rows.map(logSize);
  for (const { origin, size } of names) {
    if (sizes.some((known) => known.origin === origin && known.size === size)) continue;
    throw new NephoError(
      'as_of_unknown',
      `Cannot say what was known at size ${size} of log '${origin.slice(0, 80)}': ` +
        'it has no such checkpoint, name those of an answer',
    );
  }
  if (new Set(sizes.map(({ logId }) => logId)).size < sizes.length) {
    throw new NephoError(
      'as_of_unknown',
      'Cannot say what was known: a log is named by two checkpoints, name each log once',
    );
  }
  await refuseForgotten(db, sizes);
  return sizes;
}

/** Without this, an answer would lack all that a forgotten log holds, and look whole. */
async function refuseForgotten(db: Queryable, sizes: LogSizes): Promise<void> {
  const until = sizes.map(({ signedAt }) => signedAt).sort().at(-1) ?? null;
  const { rows } = await db.query<{ origin: string }>(
    `SELECT origin FROM logs l
     WHERE NOT log_id = ANY($1::int[]) AND EXISTS (
       SELECT FROM checkpoints c WHERE c.log_id = l.log_id AND ($2::timestamptz IS NULL OR signed_at < $2))
     ORDER BY log_id LIMIT 1`,
    [sizes.map(({ logId }) => logId), until],
  );
  const forgotten = rows[0];
  if (forgotten === undefined) return;
  throw new NephoError(
    'as_of_incomplete',
    `Cannot say what was known: log '${forgotten.origin}' had begun by then and is not named, ` +
      'name a checkpoint of each log, as an answer does',
  );
}

function logSize(row: Row): LogSize {
  return {
    logId: row.log_id,
    origin: row.origin,
    size: Number(row.size),
    root: row.root,
    signedAt: row.signed_at,
  };
}
