import { TRPCClientError } from '@trpc/client';
import { NephoError } from '../meters/errors.ts';

/**
 * An error of a call as the API's own code, its sentence and its remedy, `retryable` if the same call may
 * succeed later; `api_unreachable` if no answer came, `api_unreadable` if the answer is not nepho's.
 * Anything that is no error of a call is returned as it is.
 */
export function explainCallError(error: unknown, url: string): unknown {
  if (!(error instanceof TRPCClientError)) return error;
  const data: unknown = error.data;
  const code = textOf(data, 'error_code');
  if (code !== null) {
    const remedy = textOf(data, 'remedy');
    const requestId = textOf(data, 'request_id');
    return new NephoError(code, remedy === null ? error.message : `${error.message}. ${remedy}`, {
      cause: error,
      retryable: isPassing(data),
      context: requestId === null ? {} : { request_id: requestId },
    });
  }
  // fetch fails with a TypeError; anything else is about an answer that came.
  if (error.cause?.name === 'TypeError' || error.cause?.name === 'AbortError') {
    return new NephoError(
      'api_unreachable',
      `Cannot reach nepho at ${url}: nothing answers there, start it or set NEPHO_URL`,
      { retryable: true, cause: error },
    );
  }
  return new NephoError(
    'api_unreadable',
    `Cannot read the answer of ${url}: it does not look like nepho's`,
    { cause: error },
  );
}

/** Statuses that say to come again later. */
function isPassing(data: unknown): boolean {
  const status: unknown = typeof data === 'object' && data !== null
    ? Reflect.get(data, 'httpStatus')
    : null;
  return status === 408 || status === 429 || (typeof status === 'number' && status >= 502);
}

function textOf(value: unknown, name: string): string | null {
  const found = typeof value === 'object' && value !== null ? Reflect.get(value, name) : null;
  return typeof found === 'string' ? found : null;
}
