import { initTRPC } from '@trpc/server';
import { z } from 'zod';
import type { ApiContext } from './context.ts';
import { API_ERRORS, apiError, type ApiErrorCode, publicError, toTrpcError } from './errors.ts';
import { isNephoError } from '../meters/errors.ts';

/** A field of the input that was refused. */
export interface InputIssue {
  /** `filters.start`, or empty for the input as a whole. */
  path: string;
  message: string;
}

/** Milliseconds between signs of life in a subscription. */
const PING_MS = 15_000;

const trpc = initTRPC.context<ApiContext>().create({
  // Stacks never leave the process, whatever NODE_ENV says.
  isDev: false,
  sse: {
    // Proxies cut what is silent for a minute, as most do; a reader that hears nothing connects again.
    ping: { enabled: true, intervalMs: PING_MS },
    client: { reconnectAfterInactivityMs: 3 * PING_MS },
  },
  errorFormatter({ shape, error, ctx }) {
    const told = describeTrpcError(error);
    return {
      code: shape.code,
      message: told.message,
      data: {
        code: shape.data.code,
        httpStatus: shape.data.httpStatus,
        ...(shape.data.path === undefined ? {} : { path: shape.data.path }),
        /** Stable, one of API_ERRORS. */
        error_code: told.code,
        remedy: told.remedy,
        request_id: ctx?.requestId ?? null,
        ...(told.issues.length === 0 ? {} : { issues: told.issues }),
      },
    };
  },
});

export const router = trpc.router;
export const createCallerFactory = trpc.createCallerFactory;

/** Makes a domain error of any layer into tRPC's, at one place. */
const base = trpc.procedure.use(async ({ ctx, next }) => {
  // A wrong key is told even where none is needed: its bearer believes it to be good.
  if (ctx.denied !== null) throw toTrpcError(ctx.denied);
  const result = await next();
  if (!result.ok && isNephoError(result.error.cause)) throw toTrpcError(result.error.cause);
  return result;
});

/** Answers anyone. Use it for what holds no tenant's data. */
export const publicProcedure = base;

/** Answers the bearers of a valid key; `ctx.principal` says whose data they may see. */
export const tenantProcedure = base.use(({ ctx, next }) => {
  const { principal } = ctx;
  if (principal === null) {
    throw toTrpcError(apiError('unauthenticated', 'Cannot answer without a key'));
  }
  return next({ ctx: { principal } });
});

/** Answers operators alone. */
export const operatorProcedure = tenantProcedure.use(({ ctx, next }) => {
  const { principal } = ctx;
  if (principal.role !== 'operator') {
    throw toTrpcError(apiError('operator_only', "Cannot answer to a project's key"));
  }
  return next({ ctx: { principal } });
});

interface Told {
  code: ApiErrorCode;
  message: string;
  remedy: string;
  issues: InputIssue[];
}

/** What the caller is told of an error of tRPC itself or of one that a procedure threw. */
export function describeTrpcError(error: Error & { code: string; cause?: unknown }): Told {
  if (isNephoError(error.cause)) return { ...publicError(error.cause), issues: [] };
  if (error.code === 'BAD_REQUEST' && error.cause instanceof z.ZodError) {
    const issues = error.cause.issues.slice(0, 20).map(({ path, message }) => ({
      path: path.map(String).join('.'),
      message,
    }));
    const [first] = issues;
    const place = first === undefined || first.path === '' ? 'the input' : `'${first.path}'`;
    return told('input_invalid', `Cannot accept ${place}: ${first?.message ?? 'invalid'}`, issues);
  }
  switch (error.code) {
    case 'NOT_FOUND':
      return told('procedure_not_found', 'Cannot call this procedure: there is none of its name');
    case 'METHOD_NOT_SUPPORTED':
      return told('method_not_supported', 'Cannot call this procedure by this HTTP method');
    case 'BAD_REQUEST':
    case 'PARSE_ERROR':
    case 'UNSUPPORTED_MEDIA_TYPE':
      return told('request_malformed', 'Cannot read the request');
    case 'PAYLOAD_TOO_LARGE':
      return told('body_too_large', 'Cannot read the request: its body is too large');
    default:
      return { ...publicError(error), issues: [] };
  }
}

function told(code: ApiErrorCode, message: string, issues: InputIssue[] = []): Told {
  return { code, message, remedy: API_ERRORS[code].remedy, issues };
}
