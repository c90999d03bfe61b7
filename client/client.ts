import {
  createTRPCClient,
  httpBatchLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClient,
} from '@trpc/client';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import { EventSource } from 'eventsource';
import type { AppRouter } from '../api/root.ts';

/** A typed client of nepho's API. Only types of the server are in it. */
export type NephoClient = TRPCClient<AppRouter>;
/** What each procedure takes: `NephoInputs['samples']['list']`. */
export type NephoInputs = inferRouterInputs<AppRouter>;
/** What each procedure answers: `NephoOutputs['samples']['list']`. */
export type NephoOutputs = inferRouterOutputs<AppRouter>;

export interface ClientOptions {
  /** The API's address, `https://metering.example:8777`. */
  url: string;
  /** An API key of an operator or of a project; null calls what is public. */
  token: string | null;
  /** The runtime's own unless given. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Calls in one request; the server accepts no more than 20. */
const MAX_CALLS = 20;

/**
 * A client for Node, Deno and browsers.
 *
 * @example
 * const nepho = createClient({ url: 'http://127.0.0.1:8777', token });
 * const { samples } = await nepho.samples.list.query({ meter: 'memory', limit: 10 });
 */
export function createClient({ url, token, fetch }: ClientOptions): NephoClient {
  const address = new URL('/trpc', url).href;
  const headers: Record<string, string> = token === null
    ? {}
    : { authorization: `Bearer ${token}` };
  const ask = fetch ?? ((input: string, init: RequestInit) => globalThis.fetch(input, init));
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === 'subscription',
        true: httpSubscriptionLink({
          url: address,
          // Node has none of its own, and that of browsers sends no key.
          EventSource,
          eventSourceOptions: {
            fetch: async (input, init) =>
              await ask(urlOf(input), { ...init, headers: { ...init.headers, ...headers } }),
          },
        }),
        false: httpBatchLink({
          url: address,
          headers,
          maxItems: MAX_CALLS,
          // Filters hold identifiers of any length, which a URL may not.
          methodOverride: 'POST',
          ...fetch === undefined
            ? {}
            : { fetch: (input, init) => fetch(urlOf(input), init as RequestInit) },
        }),
      }),
    ],
  });
}

function urlOf(input: RequestInfo | URL | string): string {
  return input instanceof Request ? input.url : input.toString();
}
