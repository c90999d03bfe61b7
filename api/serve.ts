import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { errorMessage, NephoError } from '../meters/errors.ts';
import type { Api } from './handler.ts';

/** Where the API listens unless told otherwise: nobody outside the machine reaches it by accident. */
export const LOOPBACK = '127.0.0.1';
/** Milliseconds that open requests have to end when the server stops. */
const CLOSE_GRACE_MS = 5_000;
/** Milliseconds between two looks for connections that became idle while the server stops. */
const SWEEP_MS = 20;
/** Milliseconds for a whole request to arrive: a notification of 16 MiB over a slow line. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface RunningApi {
  /** `http://127.0.0.1:8777`, with the port that was chosen. */
  readonly url: string;
  readonly port: number;
  /** Takes no new requests, lets open ones end for some seconds, then cuts them. */
  close(): Promise<void>;
}

/**
 * Serves the API on Node and Deno alike.
 *
 * @param options `port` 0 takes any free one
 * @throws {NephoError} `address_in_use`, `address_refused`
 */
export async function serveApi(
  api: Api,
  options: { port: number; host?: string },
): Promise<RunningApi> {
  const host = options.host ?? LOOPBACK;
  const listener = getRequestListener((request, env) => api.fetch(request, env), {
    // Request and Response of the process stay what they are.
    overrideGlobalObjects: false,
  });
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, host, options.port)));
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      api.stop();
      // Connections are kept alive after their requests: those that end now are cut as they do.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await closed;
      clearTimeout(timer);
      clearInterval(sweep);
    },
  };
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): NephoError {
  const place = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    return new NephoError(
      'address_in_use',
      `Cannot listen on ${place}: another program has the port, choose one by NEPHO_HTTP_PORT`,
      { cause: error },
    );
  }
  return new NephoError(
    'address_refused',
    `Cannot listen on ${place}: ${errorMessage(error)}`,
    { cause: error },
  );
}
