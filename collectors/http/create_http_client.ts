import type { Pool } from 'undici';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import { AbortWatch } from './abort_watch.ts';
import { CircuitBreaker } from './circuit_breaker.ts';
import { EndpointGate } from './endpoint_gate.ts';
import { exchange, openPool } from './exchange.ts';
import type { EndpointLimits, HttpAnswer, HttpClient, HttpRequest } from './http_client.ts';
import { maskedUrl } from './masked_url.ts';
import { RetryBudget } from './retry_budget.ts';
import { statusError } from './status_error.ts';

export interface HttpClientOptions {
  /** Asked once for each endpoint. */
  limitsOf: (url: URL) => EndpointLimits;
  /**
   * What has limits of its own: the origin unless given. Services behind one proxy share an origin and
   * should not share their misfortune.
   */
  endpointOf?: (url: URL) => string;
  /** The authorities to trust instead of those of the system, PEM. */
  caCertificate?: string;
  /** The present, milliseconds since 1970. */
  nowMs: () => number;
  /** Called for every request that goes out, second attempts included. */
  onRequest?: () => void;
  /** Milliseconds that never go back, for limits; `performance.now` unless given. */
  clockMs?: () => number;
  /** From 0 to less than 1, spreads second attempts; `Math.random` unless given. */
  random?: () => number;
}

interface Endpoint {
  limits: EndpointLimits;
  gate: EndpointGate;
  breaker: CircuitBreaker;
  retries: RetryBudget;
  /** By origin: nearly always one. */
  pools: Map<string, Pool>;
}

interface Attempt {
  pool: Pool;
  asked: RequestOptions;
  watch: AbortWatch;
  nowMs: () => number;
  onRequest: (() => void) | undefined;
}

type RequestOptions = Parameters<HttpClient['request']>[1];

/** A second attempt waits this long or up to twice as long. */
const PAUSE_MS = 150;
/** A service that says when to come back is waited for if it is this soon. */
const MAX_PAUSE_MS = 5_000;
/** Says that the endpoint itself is in trouble, rather than that it dislikes the request. */
const TROUBLE: ReadonlySet<string> = new Set([
  'timeout',
  'unreachable',
  'certificate_invalid',
  'server_error',
]);

/**
 * The HTTP client of one cloud or collector: it keeps every endpoint's limits of concurrency, rate,
 * time and size, leaves one alone that fails in a row, and tries twice only as often as a tenth of the
 * requests. The wait for a place is not part of an answer's time.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const watch = new AbortWatch();
  const endpoints = new Map<string, Endpoint>();
  const clockMs = options.clockMs ?? (() => performance.now());
  const endpointOf = (url: URL): Endpoint =>
    entry(
      endpoints,
      options.endpointOf?.(url) ?? url.origin,
      () => newEndpoint(options.limitsOf(url), { watch, clockMs }),
    );

  async function attempt(request: HttpRequest, asked: RequestOptions, url: URL) {
    const endpoint = endpointOf(url);
    const leave = await endpoint.gate.enter(asked.signal);
    try {
      const { concurrency: connections } = endpoint.limits;
      const ca = options.caCertificate ?? null;
      const pool = entry(
        endpoint.pools,
        url.origin,
        () => openPool(url.origin, { connections, ca }),
      );
      const { nowMs, onRequest } = options;
      return await tryOnce(endpoint, request, { pool, asked, watch, nowMs, onRequest });
    } finally {
      leave();
    }
  }

  return {
    async request(request, asked) {
      const url = readUrl(request.url);
      const { limits, retries } = endpointOf(url);
      retries.earn();
      for (let attempts = 1;; attempts += 1) {
        try {
          return await attempt(request, asked, url);
        } catch (error) {
          const pauseMs = pauseBefore(error, options.random ?? Math.random);
          const again = attempts < limits.attempts && pauseMs !== null && !asked.signal.aborted;
          if (!again || !retries.spend()) throw error;
          await pause(pauseMs, asked.signal, watch);
        }
      }
    },
    async close() {
      const open = [...endpoints.values()].flatMap(({ pools }) => [...pools.values()]);
      endpoints.clear();
      await Promise.all(open.map((pool) => pool.destroy()));
    },
  };
}

function newEndpoint(
  limits: EndpointLimits,
  { watch, clockMs }: { watch: AbortWatch; clockMs: () => number },
): Endpoint {
  const { circuitFailures: failures, circuitMs: openMs } = limits;
  return {
    limits,
    gate: new EndpointGate(limits, { watch, clockMs }),
    breaker: new CircuitBreaker({ failures, openMs, clockMs }),
    retries: new RetryBudget(),
    pools: new Map(),
  };
}

/** One attempt, with what it tells the breaker. */
async function tryOnce(
  { limits, breaker }: Endpoint,
  request: HttpRequest,
  { pool, asked, watch, nowMs, onRequest }: Attempt,
): Promise<HttpAnswer> {
  const refusedForMs = breaker.refusedForMs();
  if (refusedForMs !== null) throw circuitOpen(request.url, refusedForMs);
  try {
    onRequest?.();
    const answer = await exchange(pool, request, {
      signal: asked.signal,
      watch,
      timeoutMs: limits.timeoutMs,
      maxBytes: limits.maxBytes,
      nowMs,
    });
    const welcome = answer.status < 300 || asked.accept?.includes(answer.status) === true;
    if (!welcome) throw statusError(request, answer);
    breaker.succeed();
    return answer;
  } catch (error) {
    if (!isNephoError(error) || error.context.aborted === true) breaker.abandon();
    else if (isTrouble(error)) breaker.fail();
    else breaker.succeed();
    throw error;
  }
}

/** 501 says that this one thing is not offered. */
function isTrouble(error: NephoError): boolean {
  return TROUBLE.has(error.code) && error.context.status !== 501;
}

/** Milliseconds until a second attempt may cure this; null if none can. */
function pauseBefore(error: unknown, random: () => number): number | null {
  if (!isNephoError(error) || !error.retryable || error.code === 'circuit_open') return null;
  const said = error.context.retry_after_ms;
  if (typeof said !== 'number') return PAUSE_MS * (1 + random());
  return said <= MAX_PAUSE_MS ? Math.max(said, PAUSE_MS) : null;
}

function pause(ms: number, signal: AbortSignal, watch: AbortWatch): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      watch.remove(signal, end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    watch.add(signal, end);
  });
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new NephoError(
    'request_refused',
    `Cannot read '${maskedUrl(text)}': write a whole URL that begins with http:// or https://`,
  );
}

function circuitOpen(url: string, restMs: number): NephoError {
  const { host } = new URL(url);
  const seconds = Math.ceil(restMs / 1_000);
  return new NephoError(
    'circuit_open',
    `Cannot ask '${host}': it failed so often in a row that it is left alone for ${seconds} s more`,
    { retryable: true, context: { url: maskedUrl(url), rest_ms: Math.ceil(restMs) } },
  );
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
