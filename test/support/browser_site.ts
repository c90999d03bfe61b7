import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, normalize, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type * as Esbuild from 'esbuild';
import type { BrowserTask, BrowserVerdicts } from './browser_page.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What a browser may load: the verifier's modules, the one package that they need, the page. */
const SERVED =
  /^\/(?:ledger|meters|node_modules\/@noble\/hashes)\/|^\/test\/support\/browser_page\.ts$/;

const require = createRequire(import.meta.url);
/** The transpiler of tsx, by which it runs these very files on Node. */
const { transformSync }: typeof Esbuild = createRequire(require.resolve('tsx/package.json'))(
  'esbuild',
);

/** The only inline script is the import map, named by this nonce; nothing else may run or be fetched. */
const NONCE = 'importmap';
const POLICY = `default-src 'none'; script-src 'self' 'nonce-${NONCE}'; connect-src 'self'`;
const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Verifying</title>
<link rel="icon" href="data:,">
<script type="importmap" nonce="${NONCE}">
{"imports": {"@noble/hashes/": "/node_modules/@noble/hashes/"}}
</script>
<script type="module" src="/test/support/browser_page.ts"></script>
<pre></pre>
`;

export interface BrowserSite {
  url: string;
  /** What the page sends back. */
  verdicts: Promise<BrowserVerdicts>;
  /** Paths that were asked for. */
  requested: string[];
  close(): void;
}

/**
 * Serves a page that verifies what the task holds, on a free port of the loopback, which browsers take
 * for a secure context. No bundle: each module as it is in the repository, without its types.
 *
 * @param logs directories of exported logs by their path on the site
 */
export async function serveBrowserSite(
  task: BrowserTask,
  logs: Readonly<Record<string, string>>,
): Promise<BrowserSite> {
  const requested: string[] = [];
  let answer: (verdicts: BrowserVerdicts) => void = () => {};
  const verdicts = new Promise<BrowserVerdicts>((settle) => answer = settle);
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = normalize(decodeURIComponent(request.url ?? '/'));
    requested.push(path);
    if (path === '/verdicts') {
      answer(JSON.parse(await text(request)));
      response.end();
    } else if (path === '/task') send(response, 'application/json', JSON.stringify(task));
    else if (path === '/') {
      response.setHeader('content-security-policy', POLICY);
      send(response, 'text/html', PAGE);
    } else if (SERVED.test(path)) send(response, 'text/javascript', await moduleText(path));
    else response.end(await readFile(fileOfLog(path, logs)));
  };
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    verdicts,
    requested,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function moduleText(path: string): Promise<string> {
  const source = await readFile(join(ROOT, path), 'utf8');
  if (!path.endsWith('.ts')) return source;
  return transformSync(source, { loader: 'ts', format: 'esm', target: 'es2022' }).code;
}

function fileOfLog(path: string, logs: Readonly<Record<string, string>>): string {
  for (const [prefix, directory] of Object.entries(logs)) {
    if (path.startsWith(`${prefix}/`)) return join(directory, path.slice(prefix.length));
  }
  throw new Error(`Nothing is served at ${path}`);
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
}
