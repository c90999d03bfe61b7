import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc';
import { getHTTPStatusCodeFromError } from '@trpc/server/http';
import { TRPCError } from '@trpc/server';
import { API_ERRORS, publicError } from './errors.ts';

/**
 * The answer to a request that no procedure answers, in the shape that tRPC gives to a procedure's
 * error, so that a client reads one shape everywhere.
 */
export function errorResponse(error: unknown, requestId: string): Response {
  const { code, message, remedy } = publicError(error);
  const trpcCode = API_ERRORS[code].trpc;
  const httpStatus = getHTTPStatusCodeFromError(new TRPCError({ code: trpcCode }));
  const body = {
    error: {
      message,
      code: TRPC_ERROR_CODES_BY_KEY[trpcCode],
      data: { code: trpcCode, httpStatus, error_code: code, remedy, request_id: requestId },
    },
  };
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  };
  if (code === 'unauthenticated') headers['www-authenticate'] = 'Bearer realm="nepho"';
  if (code === 'too_many_attempts') headers['retry-after'] = '60';
  return new Response(JSON.stringify(body), { status: httpStatus, headers });
}
