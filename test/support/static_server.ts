import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

export interface StaticServer {
  /** Without a slash at its end. */
  url: string;
  close(): void;
}

/**
 * Serves the files of a directory on a free port of the loopback, as any web server would serve an
 * exported log. With a `token`, entries are given only to who shows it.
 */
export async function serveDirectory(
  directory: string,
  { token }: { token?: string } = {},
): Promise<StaticServer> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(request.url ?? '/'));
    const guarded = token !== undefined && path.startsWith('/tile/entries/');
    if (guarded && request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401).end();
      return;
    }
    readFile(join(directory, path)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
