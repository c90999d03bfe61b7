/** Finds the API that a command talks to: NEPHO_URL, else the embedded system that runs here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { z } from 'zod';
import { createClient, type NephoClient } from '../client/client.ts';
import { explainCallError } from '../client/errors.ts';
import { NephoError } from '../meters/errors.ts';
import { readSettings, type Settings } from './env.ts';

/** What a running embedded system leaves in its home for the commands, in `running.json`. */
export const runningSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  /** File with the operator's key, readable by its owner only. */
  tokenFile: z.string().min(1),
  pid: z.int().optional(),
});

export const RUNNING_FILE = 'running.json';

export interface Connection {
  readonly url: string;
  readonly token: string | null;
  /** Calls the API; an error of the call comes as a NephoError with the API's code. */
  call<T>(work: (client: NephoClient) => Promise<T>): Promise<T>;
}

type Where = Pick<Settings, 'home' | 'url' | 'token'>;

/**
 * @throws {NephoError} `not_running` if nothing runs here and no address is set, `token_missing`,
 * `running_file_invalid`
 */
export async function connect(where: Where = readSettings()): Promise<Connection> {
  const { url, token } = await findApi(where);
  const client = createClient({ url, token });
  return {
    url,
    token,
    async call(work) {
      try {
        return await work(client);
      } catch (error) {
        throw explainCallError(error, url);
      }
    },
  };
}

/**
 * The key for an address that was named on the command line: NEPHO_TOKEN if it is that of NEPHO_URL,
 * the embedded system's own if it is that one's. Never to any other server.
 */
export async function tokenFor(
  address: URL,
  where: Where = readSettings(),
): Promise<string | null> {
  const { home, url, token } = where;
  if (url !== null && new URL(url).origin === address.origin && token !== null) return token;
  const running = await readRunning(home);
  if (running === null || new URL(running.url).origin !== address.origin) return null;
  return token !== null && url === null ? token : await readToken(running.tokenFile);
}

async function findApi(
  { home, url, token }: Where,
): Promise<{ url: string; token: string | null }> {
  const running = await readRunning(home);
  if (url !== null) {
    if (token !== null) return { url, token };
    // The address of the embedded system itself: its key is at hand.
    if (running !== null && new URL(running.url).origin === new URL(url).origin) {
      return { url, token: await readToken(running.tokenFile) };
    }
    throw new NephoError(
      'token_missing',
      `Cannot talk to ${url} without a key: set NEPHO_TOKEN to one that an operator made`,
    );
  }
  if (running === null) {
    throw new NephoError(
      'not_running',
      'Cannot find a running nepho: start one with `npm start`, or set NEPHO_URL and NEPHO_TOKEN',
    );
  }
  return { url: running.url, token: token ?? await readToken(running.tokenFile) };
}

async function readRunning(home: string): Promise<z.output<typeof runningSchema> | null> {
  const path = join(home, RUNNING_FILE);
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const running = runningSchema.parse(JSON.parse(text));
    // A system that was killed leaves its file behind, and the port may be another program's by now.
    return running.pid === undefined || isAlive(running.pid) ? running : null;
  } catch (cause) {
    throw new NephoError(
      'running_file_invalid',
      `Cannot read '${path}': it is not what a running nepho writes, start it again`,
      { cause },
    );
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives, and is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new NephoError(
      'token_missing',
      `Cannot read the operator's key in '${path}': only the user who started nepho may`,
      { cause },
    );
  }
}
