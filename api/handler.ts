import { randomUUID } from 'node:crypto';
import { fetchRequestHandler } from '@trpc/server/adapters/fetch';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MAX_NOTIFICATION_BYTES } from '../meters/limits.ts';
import { errorMessage } from '../meters/errors.ts';
import { createAuthenticator } from './authenticator.ts';
import type { ApiEnv } from './api_env.ts';
import type { ApiContext } from './context.ts';
import { createRuleFinder } from './definition_rules.ts';
import { createEventStreams } from './event_stream.ts';
import type { ApiDeps } from './deps.ts';
import { errorResponse } from './error_response.ts';
import { apiCodeOf, apiError } from './errors.ts';
import { checkHealth } from './health_checks.ts';
import { createExportRoutes, EXPORTS } from './export_routes.ts';
import { createLogReaders } from './log_reader.ts';
import { createLogRoutes } from './log_routes.ts';
import { createHttpMetrics } from './metrics.ts';
import { appRouter } from './root.ts';
import { createStoreMetrics } from './store_metrics.ts';

/** Bytes of a request's body: an operator may publish the largest notification, as base64. */
export const MAX_OPERATOR_BODY_BYTES = 2 * MAX_NOTIFICATION_BYTES;
export const MAX_BODY_BYTES = 256 * 1024;
/** Calls in one batched request. */
export const MAX_BATCHED_CALLS = 20;

const REQUEST_ID = /^[\w.:-]{1,128}$/;
const LOOPBACK_ADDRESS = /^(?:127\.|::1$|::ffff:127\.)/;

/** The whole API as one function from a web-standard request to its response. */
export interface Api {
  /** @param env what the server knows beside the request, see `api_env.ts` */
  fetch(request: Request, env?: unknown): Promise<Response>;
  /** Ends what would never end by itself: subscriptions. */
  stop(): void;
}

export function createApi(deps: ApiDeps): Api {
  const app = new Hono<ApiEnv>();
  observe(app, deps);
  authenticate(app, deps);
  app.use('*', limitBody);
  const openLog = createLogReaders(deps.db.pool, deps.archives);
  const findRules = createRuleFinder(deps.db.pool);
  const streams = createEventStreams(deps.db.pool);
  app.all('/trpc/*', (c) => answerTrpc(c, { deps, openLog, findRules, streams }));
  app.route('/log', createLogRoutes(deps, openLog));
  app.route('/export', createExportRoutes(deps));
  app.get('/health', async (c) => {
    const health = await checkHealth(deps);
    return c.json(health, health.status === 'down' ? 503 : 200, { 'cache-control': 'no-store' });
  });
  serveMetrics(app, deps);
  app.notFound((c) =>
    errorResponse(apiError('not_found', 'Cannot find this resource'), c.get('requestId'))
  );
  app.onError((error, c) => {
    logFailure(deps, error, { request_id: c.get('requestId'), path: c.req.path });
    return errorResponse(error, c.get('requestId'));
  });
  return {
    fetch: async (request, env) => await app.fetch(request, env ?? {}),
    stop: () => streams.stop(),
  };
}

/** Gives each request its id, a line in the log and its metrics. */
function observe(app: Hono<ApiEnv>, deps: ApiDeps): void {
  const metrics = createHttpMetrics(deps.registry);
  app.use('*', async (c, next) => {
    const started = performance.now();
    const given = c.req.header('x-request-id') ?? '';
    c.set('requestId', REQUEST_ID.test(given) ? given : randomUUID());
    c.set('principal', null);
    c.set('denied', null);
    await next();
    c.header('x-request-id', c.get('requestId'));
    c.header('x-content-type-options', 'nosniff');
    const seconds = (performance.now() - started) / 1_000;
    const { method, path } = c.req;
    const { status } = c.res;
    metrics.answered({ route: routeOf(path), method: knownMethod(method), status, seconds });
    deps.log.info('request', {
      request_id: c.get('requestId'),
      method,
      // Without its query, which holds filters and so identifiers of tenants.
      path,
      status,
      ms: Math.round(seconds * 10_000) / 10,
      key_id: c.get('principal')?.keyId ?? null,
    });
  });
}

function authenticate(app: Hono<ApiEnv>, deps: ApiDeps): void {
  const authenticator = createAuthenticator(deps.db.pool, deps.now);
  app.use('*', async (c, next) => {
    const header = c.req.header('authorization') ?? null;
    try {
      c.set('principal', await authenticator.authenticate(header, addressOf(c)));
    } catch (error) {
      // tRPC tells it in its own envelope, once for each call of a batch.
      if (!c.req.path.startsWith('/trpc/')) throw error;
      c.set('denied', error);
    }
    await next();
  });
}

const refuseBody = (c: Context<ApiEnv>): Response => {
  const refusal = apiError('body_too_large', 'Cannot read the request: its body is too large');
  const response = errorResponse(refusal, c.get('requestId'));
  // The rest of the body is not read, so nothing else can come over this connection.
  response.headers.set('connection', 'close');
  return response;
};
const limitTo = (maxSize: number) => bodyLimit({ maxSize, onError: refuseBody });
const limitOfOperators = limitTo(MAX_OPERATOR_BODY_BYTES);
const limitOfOthers = limitTo(MAX_BODY_BYTES);

const limitBody: typeof limitOfOthers = (c, next) =>
  (c as Context<ApiEnv>).get('principal')?.role === 'operator'
    ? limitOfOperators(c, next)
    : limitOfOthers(c, next);

async function answerTrpc(
  c: Context<ApiEnv>,
  parts: Pick<ApiContext, 'deps' | 'openLog' | 'findRules' | 'streams'>,
): Promise<Response> {
  const { deps } = parts;
  const context: ApiContext = {
    ...parts,
    principal: c.get('principal'),
    denied: c.get('denied'),
    requestId: c.get('requestId'),
  };
  return await fetchRequestHandler({
    endpoint: '/trpc',
    req: c.req.raw,
    router: appRouter,
    createContext: () => context,
    // Long filters: a query may be sent by POST.
    allowMethodOverride: true,
    maxBatchSize: MAX_BATCHED_CALLS,
    responseMeta: () => ({ headers: new Headers({ 'cache-control': 'no-store' }) }),
    onError: ({ error, path }) => {
      logFailure(deps, error.cause ?? error, { request_id: context.requestId, path: path ?? '' });
    },
  });
}

function serveMetrics(app: Hono<ApiEnv>, deps: ApiDeps): void {
  const refreshStore = createStoreMetrics(deps);
  app.get('/metrics', async (c) => {
    // Numbers of the whole deployment: for the machine itself and for operators.
    if (!isLocal(c) && c.get('principal')?.role !== 'operator') {
      throw apiError(
        'unauthenticated',
        "Cannot show metrics to another machine without an operator's key",
      );
    }
    const [workers] = await Promise.all([workerMetrics(deps), refreshStore()]);
    return c.body(`${await deps.registry.metrics()}\n${workers}`, 200, {
      'content-type': deps.registry.contentType,
      'cache-control': 'no-store',
    });
  });
}

/** Nothing if they do not answer: the other numbers are worth having. */
async function workerMetrics({ workerMetrics: ask }: ApiDeps): Promise<string> {
  return ask === null ? '' : await ask().catch(() => '');
}

function addressOf(c: Context<ApiEnv>): string {
  return c.env.incoming?.socket?.remoteAddress ?? 'unknown';
}

/** True for a caller on this machine that is no proxy for another one. */
function isLocal(c: Context<ApiEnv>): boolean {
  const proxied = c.req.header('forwarded') ?? c.req.header('x-forwarded-for');
  return proxied === undefined && LOOPBACK_ADDRESS.test(addressOf(c));
}

/** A label of few values, whatever is asked for. */
function routeOf(path: string): string {
  if (path.startsWith('/trpc/')) {
    const name = path.slice('/trpc/'.length);
    return name in appRouter._def.procedures ? `/trpc/${name}` : '/trpc/*';
  }
  if (path.startsWith('/log/')) {
    return /^\/log\/\d+\/(checkpoint|tile|definitions)/.exec(path)?.[0].replace(/\d+/, ':log') ??
      '/log/*';
  }
  if (EXPORTS.some((name) => path === `/export/${name}`)) return path;
  return path === '/health' || path === '/metrics' ? path : '*';
}

function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST'].includes(method) ? method : 'other';
}

/** What the caller is not told. Failures that are the caller's own are in the request's line already. */
function logFailure(deps: ApiDeps, error: unknown, fields: Record<string, string>): void {
  const code = apiCodeOf(error);
  if (code !== 'internal' && !code.endsWith('_unavailable')) return;
  const stack = error instanceof Error && code === 'internal' ? { stack: error.stack } : {};
  deps.log.error('request_failed', { ...fields, code, error: errorMessage(error), ...stack });
}
