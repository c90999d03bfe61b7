import { isNephoError, NephoError } from '../meters/errors.ts';

interface Translation {
  code: string;
  retryable: boolean;
  says: string;
}

/**
 * SQLSTATEs, or their classes of two characters, in the words of the domain.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const BY_SQLSTATE: Readonly<Record<string, Translation>> = {
  '08': { code: 'database_unreachable', retryable: true, says: 'the connection broke' },
  '57P01': { code: 'database_unreachable', retryable: true, says: 'the server is shutting down' },
  '57P02': { code: 'database_unreachable', retryable: true, says: 'the server crashed' },
  '57P03': { code: 'database_unreachable', retryable: true, says: 'the server is starting' },
  '40': { code: 'database_conflict', retryable: true, says: 'another transaction was in the way' },
  '55P03': { code: 'database_conflict', retryable: true, says: 'a lock could not be had in time' },
  '57014': { code: 'database_timeout', retryable: true, says: 'the statement took too long' },
  '25P03': { code: 'database_timeout', retryable: true, says: 'the transaction was idle too long' },
  '53': { code: 'database_full', retryable: true, says: 'the server is out of a resource' },
  '58': { code: 'database_failed', retryable: true, says: 'the server met a system error' },
  'XX': { code: 'database_failed', retryable: false, says: 'the server met an internal error' },
  '28': { code: 'database_refused', retryable: false, says: 'the user or password is wrong' },
  '3D': { code: 'database_refused', retryable: false, says: 'there is no such database' },
  '42501': { code: 'database_refused', retryable: false, says: 'the user lacks the right' },
  '42': { code: 'database_schema', retryable: false, says: "run 'nepho migrate'" },
  '23505': { code: 'already_exists', retryable: false, says: 'such a row is there already' },
  '23': {
    code: 'constraint_broken',
    retryable: false,
    says: 'a constraint of the schema forbids it',
  },
  '22': { code: 'value_invalid', retryable: false, says: 'a value is not one of its type' },
  '54': { code: 'value_too_large', retryable: false, says: 'a value is beyond what can be kept' },
};

/** Codes that Node and Deno give to sockets, all of a kind that may pass. */
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);
const SOCKET_SENTENCES =
  /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Client was closed|Cannot use a pool after)/;

/**
 * Makes a {@link NephoError} of whatever a query threw; one that is already ours is returned as it is.
 *
 * @param action what was being done, as in `Cannot <action>`
 */
export function databaseError(error: unknown, action: string): NephoError {
  if (isNephoError(error)) return error;
  const cause = rootOf(error);
  const sqlstate = sqlstateOf(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  const translation = translate(cause, sqlstate, message);
  return new NephoError(
    translation.code,
    `Cannot ${action}: ${translation.says} (${sqlstate ?? 'no SQLSTATE'}: ${message})`,
    {
      retryable: translation.retryable,
      cause: error,
      context: sqlstate === null ? {} : { sqlstate },
    },
  );
}

/** Runs a query and has its failure told by {@link databaseError}. */
export async function withDatabaseErrors<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw databaseError(error, action);
  }
}

/** The SQLSTATE of an error of `pg` or of Drizzle around it, else null. */
export function sqlstateOf(error: unknown): string | null {
  const code = propertyOf(rootOf(error), 'code');
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

function translate(cause: unknown, sqlstate: string | null, message: string): Translation {
  if (sqlstate === '23514' && message.startsWith('no partition of relation')) {
    return { code: 'partition_missing', retryable: true, says: 'its month has no partition yet' };
  }
  if (sqlstate !== null) {
    return BY_SQLSTATE[sqlstate] ?? BY_SQLSTATE[sqlstate.slice(0, 2)] ??
      { code: 'database_failed', retryable: false, says: 'the server refused' };
  }
  const code = propertyOf(cause, 'code');
  const isSocket = (typeof code === 'string' && SOCKET_CODES.has(code)) ||
    SOCKET_SENTENCES.test(message);
  if (isSocket) {
    return { code: 'database_unreachable', retryable: true, says: 'the server does not answer' };
  }
  return { code: 'database_failed', retryable: false, says: 'the query failed' };
}

/** Drizzle and `AggregateError` of a refused connection wrap the error that says why. */
function rootOf(error: unknown): unknown {
  const cause = propertyOf(error, 'cause');
  if (cause instanceof Error && propertyOf(error, 'code') === undefined) return rootOf(cause);
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  return error;
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
