import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { type CustomTypesConfig, Pool, type PoolClient, types } from 'pg';
import { canonicalTimestamp } from './timestamp_text.ts';

/** What a read function needs: a pool, or one connection inside a transaction. */
export type Queryable = Pick<Pool | PoolClient, 'query'>;

export interface Database {
  readonly pool: Pool;
  readonly orm: NodePgDatabase;
  /** Waits for running queries, then closes every connection. Safe to call twice. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Connections at most, {@link DEFAULT_POOL_SIZE} unless given. */
  poolSize?: number;
  /** Shown in `pg_stat_activity`, `nepho` unless given. */
  applicationName?: string;
  /** Milliseconds to wait for a connection before `database_unreachable`. */
  connectTimeoutMs?: number;
}

export const DEFAULT_POOL_SIZE = 6;
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * A process that hangs, or whose machine is gone, must not keep the lock of a log: the server ends its
 * session. Our transactions never wait for anything but the server itself.
 */
const IDLE_IN_TRANSACTION_MS = 10_000;

const INT8 = 20;
const INT8_ARRAY = 1016;
const TIMESTAMPTZ = 1184;
const TIMESTAMPTZ_ARRAY = 1185;

/**
 * Opens a pool on a `postgres://` address: PostgreSQL, or PGlite behind its socket. No connection is
 * made before the first query.
 *
 * Rows come back without loss: `bigint` as BigInt, `numeric` as its decimal text, `timestamptz` as the
 * canonical text of meters/timestamp.ts, `bytea` as Buffer, `uuid` as its text with hyphens.
 */
export function createDatabase(url: string, options: DatabaseOptions = {}): Database {
  const pool = new Pool({
    connectionString: url,
    max: options.poolSize ?? DEFAULT_POOL_SIZE,
    application_name: options.applicationName ?? 'nepho',
    connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    types: exactTypes,
  });
  // An idle connection that the server cuts is replaced at the next query. Without a listener Node
  // would end the process.
  pool.on('error', () => {});
  let closing: Promise<void> | undefined;
  return {
    pool,
    orm: drizzle(pool),
    close: () => closing ??= pool.end(),
  };
}

/** Runs `work` in one transaction on one connection: committed if it returns, else rolled back. */
export async function inTransaction<T>(
  pool: Pool,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that is cut between two statements says so by this event alone; without a listener
  // Node would end the process. The next statement then fails.
  const onError = (failure: Error): void => {
    broken ??= failure;
  };
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.off('error', onError);
    // A connection that is cut, or could not even roll back, must not return to the pool.
    client.release(broken);
  }
}

/** `pg` declares a closed list of type numbers, but takes any. */
const typeParser = types.getTypeParser as (oid: number, format: 'text' | 'binary') => unknown;

/** Parsers of these pools alone: the parsers of `pg` itself stay as they are. */
const exactTypes: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format === 'binary') return typeParser(oid, 'binary');
    if (oid === INT8) return BigInt;
    if (oid === TIMESTAMPTZ) return canonicalTimestamp;
    if (oid === INT8_ARRAY) return (text: string) => parseArray(text, BigInt);
    if (oid === TIMESTAMPTZ_ARRAY) return (text: string) => parseArray(text, canonicalTimestamp);
    return typeParser(oid, 'text');
  }) as typeof types.getTypeParser,
};

function parseArray<T>(text: string, parse: (item: string) => T): (T | null)[] {
  const items = text.slice(1, -1);
  if (items === '') return [];
  return items.split(',').map((item) => item === 'NULL' ? null : parse(item.replaceAll('"', '')));
}
