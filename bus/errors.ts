import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/nats-core';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';

/** JetStream's error codes (nats-server, server/errors.json). */
const ApiCode = {
  insufficientResources: 10023,
  memoryResourcesExceeded: 10028,
  storageResourcesExceeded: 10047,
  /** Its text is the store's: "maximum bytes exceeded" where a full stream discards what is new. */
  streamStoreFailed: 10077,
} as const;
const FULL_CODES: ReadonlySet<number> = new Set([
  ApiCode.insufficientResources,
  ApiCode.memoryResourcesExceeded,
  ApiCode.storageResourcesExceeded,
]);
const TOO_MANY_REQUESTS = 429;

/** How long a sender should wait before it offers a message to a full intake again. */
export const FULL_RETRY_AFTER_MS = 5_000;

/**
 * What NATS answered, in nepho's words: `intake_full` (back-pressure: send again after
 * `retry_after_ms` of the context), `bus_refused` (credentials or rights), else `bus_unavailable`.
 * All but `bus_refused` are retryable.
 */
export function busError(error: unknown, action: string): NephoError {
  if (isNephoError(error)) return error;
  if (isFull(error)) {
    return new NephoError(
      'intake_full',
      `Cannot ${action}: the intake is full (${
        errorMessage(error)
      }); send again when ingest has caught up, or raise the stream's size`,
      { cause: error, retryable: true, context: { retry_after_ms: FULL_RETRY_AFTER_MS } },
    );
  }
  if (
    error instanceof errors.AuthorizationError ||
    error instanceof errors.PermissionViolationError ||
    error instanceof errors.UserAuthenticationExpiredError
  ) {
    return new NephoError(
      'bus_refused',
      `Cannot ${action}: NATS refused it (${
        errorMessage(error)
      }); check the credentials and rights`,
      { cause: error },
    );
  }
  return new NephoError(
    'bus_unavailable',
    `Cannot ${action}: NATS did not do it (${
      errorMessage(error)
    }); is it running, with JetStream on?`,
    { cause: error, retryable: true },
  );
}

function isFull(error: unknown): boolean {
  if (!(error instanceof JetStreamApiError)) return false;
  if (error.status === TOO_MANY_REQUESTS || FULL_CODES.has(error.code)) return true;
  return error.code === ApiCode.streamStoreFailed && /maximum|exceeded/i.test(error.message);
}
