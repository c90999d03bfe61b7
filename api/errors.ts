import { TRPCError } from '@trpc/server';
import type { TRPC_ERROR_CODE_KEY } from '@trpc/server';
import { isNephoError, NephoError } from '../meters/errors.ts';

interface ErrorEntry {
  /** tRPC's code, which fixes the HTTP status. */
  readonly trpc: TRPC_ERROR_CODE_KEY;
  /** What the caller can do about it. */
  readonly remedy: string;
}

/**
 * Every code that the API answers with. Closed: what is not in here is `internal`. Codes are never
 * renamed and never change their meaning; docs/api.md lists them and a test compares the two.
 */
export const API_ERRORS = {
  unauthenticated: {
    trpc: 'UNAUTHORIZED',
    remedy: "Send 'Authorization: Bearer <key>' with a key that is neither revoked nor expired",
  },
  operator_only: { trpc: 'FORBIDDEN', remedy: "Use an operator's key" },
  too_many_attempts: {
    trpc: 'TOO_MANY_REQUESTS',
    remedy: 'Wait a minute, then send a valid key',
  },
  not_found: {
    trpc: 'NOT_FOUND',
    remedy: 'Check the id, and that the key may see what it names',
  },
  procedure_not_found: {
    trpc: 'NOT_FOUND',
    remedy: 'Check the name of the procedure against docs/api.md',
  },
  method_not_supported: {
    trpc: 'METHOD_NOT_SUPPORTED',
    remedy: 'Call queries by GET and mutations by POST',
  },
  request_malformed: {
    trpc: 'BAD_REQUEST',
    remedy: 'Send the input as JSON, as docs/api.md shows',
  },
  input_invalid: { trpc: 'BAD_REQUEST', remedy: "Correct the fields that 'issues' names" },
  range_invalid: {
    trpc: 'BAD_REQUEST',
    remedy: "Let 'from' lie before 'to': the range is half-open",
  },
  range_too_large: {
    trpc: 'BAD_REQUEST',
    remedy: 'Ask for a shorter range, longer spans or fewer resources',
  },
  samples_archived: {
    trpc: 'UNPROCESSABLE_CONTENT',
    remedy: 'Let the range begin and end on full hours of UTC, whose windows are kept',
  },
  zone_unknown: {
    trpc: 'BAD_REQUEST',
    remedy: 'Name a zone of the time zone database, as Europe/Berlin or UTC',
  },
  group_unknown: {
    trpc: 'BAD_REQUEST',
    remedy: "Group by what docs/api.md names, or by a path as 'metadata.flavor.name'",
  },
  as_of_in_future: {
    trpc: 'BAD_REQUEST',
    remedy: "Ask for an instant that has passed, or leave 'as_of' out",
  },
  as_of_unknown: {
    trpc: 'BAD_REQUEST',
    remedy: "Send the 'checkpoints' of an answer unchanged",
  },
  as_of_incomplete: {
    trpc: 'BAD_REQUEST',
    remedy: "Send all 'checkpoints' of an answer",
  },
  cursor_invalid: {
    trpc: 'BAD_REQUEST',
    remedy: "Send a 'next_cursor' unchanged, or none to begin anew",
  },
  too_many_groups: {
    trpc: 'BAD_REQUEST',
    remedy: 'Ask for fewer groups, longer periods or a shorter time',
  },
  cursor_of_another_query: {
    trpc: 'BAD_REQUEST',
    remedy: 'Send the same filters as for the first page, or no cursor to begin anew',
  },
  size_beyond_log: {
    trpc: 'BAD_REQUEST',
    remedy: "Ask for sizes up to the log's head, see logs.head",
  },
  body_too_large: {
    trpc: 'PAYLOAD_TOO_LARGE',
    remedy: 'Send less in one request',
  },
  already_decided: {
    trpc: 'CONFLICT',
    remedy: 'Nothing: this message was retried or discarded before',
  },
  approval_refused: {
    trpc: 'CONFLICT',
    remedy: 'Look at the draft that waits, see statements.actor, and approve that one',
  },
  definitions_invalid: {
    trpc: 'UNPROCESSABLE_CONTENT',
    remedy: "Correct the faults, see 'nepho definitions check'",
  },
  too_many_subscriptions: {
    trpc: 'TOO_MANY_REQUESTS',
    remedy: 'End some of them, or share one between those who read it',
  },
  server_stopping: {
    trpc: 'SERVICE_UNAVAILABLE',
    remedy: 'Connect again from the last cursor',
  },
  intake_full: {
    trpc: 'SERVICE_UNAVAILABLE',
    remedy: 'Try again when the ingest has caught up',
  },
  intake_unavailable: {
    trpc: 'SERVICE_UNAVAILABLE',
    remedy: 'Try again when nats-server is back',
  },
  actors_unavailable: {
    trpc: 'SERVICE_UNAVAILABLE',
    remedy: 'Try again when Temporal and the worker are back',
  },
  database_unavailable: {
    trpc: 'SERVICE_UNAVAILABLE',
    remedy: 'Try again when the database is back',
  },
  timeout: { trpc: 'TIMEOUT', remedy: 'Ask for less: a shorter range or a smaller page' },
  internal: {
    trpc: 'INTERNAL_SERVER_ERROR',
    remedy: "Report the 'request_id' to the operator, whose log has the cause",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ApiErrorCode = keyof typeof API_ERRORS;

interface Translation {
  code: ApiErrorCode;
  /** Told instead of the error's own sentence, which is about the server's own parts. */
  instead?: string;
}

const DATABASE_AWAY: Translation = {
  code: 'database_unavailable',
  instead: 'Cannot reach the database',
};
const INTAKE_AWAY: Translation = { code: 'intake_unavailable', instead: 'Cannot reach the intake' };

/** Codes of other folders that a call can meet. All others are `internal`. */
const TRANSLATED = new Map<string, Translation>(Object.entries({
  tile_missing: { code: 'not_found' },
  index_out_of_range: { code: 'size_beyond_log' },
  limit_invalid: { code: 'input_invalid' },
  too_many_spans: { code: 'range_too_large' },
  period_invalid: { code: 'input_invalid' },
  quantity_invalid: { code: 'input_invalid' },
  text_invalid: { code: 'input_invalid' },
  timestamp_invalid: { code: 'input_invalid' },
  value_invalid: {
    code: 'input_invalid',
    instead: 'Cannot use a value: it is not one of its type',
  },
  bus_unavailable: INTAKE_AWAY,
  bus_refused: INTAKE_AWAY,
  bus_unsuitable: INTAKE_AWAY,
  database_unreachable: DATABASE_AWAY,
  database_conflict: DATABASE_AWAY,
  database_full: DATABASE_AWAY,
  database_timeout: { code: 'timeout', instead: 'Cannot answer in time' },
}));

/** Sentences for codes whose own may tell of the server's insides. */
const GENERIC: Partial<Record<ApiErrorCode, string>> = {
  intake_full: 'Cannot accept messages: the intake is full',
  internal: 'Cannot answer: something went wrong in the server',
};

/**
 * An error for the caller, of a code of {@link API_ERRORS}.
 *
 * @param message the sentence that the caller reads: never a cause, a query or a path of this machine
 */
export function apiError(code: ApiErrorCode, message: string, cause?: unknown): NephoError {
  return new NephoError(code, message, cause === undefined ? {} : { cause });
}

export interface PublicError {
  code: ApiErrorCode;
  message: string;
  remedy: string;
}

/** What may be told of any thrown value. Causes, stacks and foreign sentences stay behind. */
export function publicError(error: unknown): PublicError {
  const { code, instead } = translationOf(error);
  const own = isNephoError(error) ? error.message : '';
  return { code, message: instead ?? GENERIC[code] ?? own, remedy: API_ERRORS[code].remedy };
}

/** The code of the closed table for any thrown value. */
export function apiCodeOf(error: unknown): ApiErrorCode {
  return translationOf(error).code;
}

function translationOf(error: unknown): Translation {
  if (!isNephoError(error)) return { code: 'internal' };
  if (isApiErrorCode(error.code)) return { code: error.code };
  return TRANSLATED.get(error.code) ?? { code: 'internal' };
}

export function isApiErrorCode(code: string): code is ApiErrorCode {
  return Object.hasOwn(API_ERRORS, code);
}

/** The error of tRPC that carries a domain error; its cause is for the log alone. */
export function toTrpcError(error: unknown): TRPCError {
  const { code, message } = publicError(error);
  return new TRPCError({ code: API_ERRORS[code].trpc, message, cause: error });
}
