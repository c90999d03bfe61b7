/** Ports of this machine: whether one is free, and which are. */
import { createServer } from 'node:net';
import { NephoError } from '../meters/errors.ts';

/** How many ports after the usual one are tried. */
const TRIED_PORTS = 20;

/** A port that nothing listens on just now. */
export async function freePort(host: string): Promise<number> {
  const port = await tryPort(0, host);
  if (port !== null) return port;
  throw new NephoError('address_refused', `Cannot listen on ${host}: no port of it is free`);
}

/**
 * The usual port, or the next that is free. One that was asked for is never replaced.
 *
 * @throws {NephoError} `address_in_use`
 */
export async function choosePort(
  { usual, asked, host }: { usual: number; asked: number | null; host: string },
): Promise<number> {
  if (asked === 0) return await freePort(host);
  const candidates = asked === null
    ? Array.from({ length: TRIED_PORTS }, (_, index) => usual + index)
    : [asked];
  for (const candidate of candidates) {
    if (await tryPort(candidate, host) !== null) return candidate;
  }
  const what = asked === null ? `ports ${usual} to ${usual + TRIED_PORTS - 1}` : `port ${asked}`;
  throw new NephoError(
    'address_in_use',
    `Cannot listen on ${what} of ${host}: another program does, choose a port by --port or NEPHO_HTTP_PORT`,
  );
}

async function tryPort(port: number, host: string): Promise<number | null> {
  const server = createServer();
  try {
    return await new Promise<number | null>((resolve) => {
      server.once('error', () => resolve(null));
      server.listen(port, host, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : null);
      });
    });
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}
