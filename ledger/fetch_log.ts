import { errorMessage, NephoError } from '../meters/errors.ts';
import { concatBytes, decodeUtf8 } from './bytes.ts';
import { HASH_BYTES } from './sha256.ts';
import { decodeBundle, encodeBundle, formatTilePath, MAX_BUNDLE_BYTES } from './tile.ts';
import { TILE_BYTES, TILE_WIDTH, type TileName } from './tile.ts';
import type { TiledLog } from './tiled_log.ts';

export interface FetchLogOptions {
  /** Authority to read entries, which show all tenants' data. Sent to the log's own address only. */
  token?: string;
  /** For one request; 30 s unless given. */
  timeoutMs?: number;
  /** Tries of one request that fails on the way or at a server that is busy; 4 unless given. */
  attempts?: number;
}

const MAX_CHECKPOINT_BYTES = 1_000_000;
const FIRST_RETRY_MS = 200;

/**
 * A log behind HTTP, by its tlog-tiles prefix: `http://127.0.0.1:8080/log/0`. Runs wherever `fetch` is.
 *
 * Its readers throw `tile_missing` for a 404, `log_forbidden` for a 401 or 403, `log_unreachable`
 * after the last attempt, `resource_too_large` for an answer longer than the format allows.
 */
export function fetchLog(prefix: string, options: FetchLogOptions = {}): TiledLog {
  const base = prefix.replace(/\/+$/, '');
  const get = (path: string, maxBytes: number): Promise<Uint8Array> =>
    getWithRetries(`${base}/${path}`, maxBytes, options);
  return {
    readCheckpoint: async () => decodeUtf8(await get('checkpoint', MAX_CHECKPOINT_BYTES)),
    readTile: (level, index, width) =>
      getTile({ level, index, width }, get, (full) => full.subarray(0, width * HASH_BYTES)),
    readEntries: (index, width) =>
      getTile(
        { level: 'entries', index, width },
        get,
        (full) => encodeBundle(decodeBundle(full, TILE_WIDTH).slice(0, width)),
      ),
  };
}

/** A partial tile may be gone once the full one is there: then that one's beginning is it. */
async function getTile(
  name: TileName,
  get: (path: string, maxBytes: number) => Promise<Uint8Array>,
  cut: (full: Uint8Array) => Uint8Array,
): Promise<Uint8Array> {
  const maxBytes = name.level === 'entries' ? MAX_BUNDLE_BYTES : TILE_BYTES;
  try {
    return await get(formatTilePath(name), maxBytes);
  } catch (error) {
    const missing = error instanceof NephoError && error.code === 'tile_missing';
    if (!missing || name.width === TILE_WIDTH) throw error;
    return cut(await get(formatTilePath({ ...name, width: TILE_WIDTH }), maxBytes));
  }
}

async function getWithRetries(
  url: string,
  maxBytes: number,
  options: FetchLogOptions,
): Promise<Uint8Array> {
  const { attempts = 4 } = options;
  for (let attempt = 1;; attempt += 1) {
    try {
      return await getOnce(url, maxBytes, options);
    } catch (error) {
      const passing = error instanceof NephoError && error.retryable;
      if (!passing || attempt >= attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, FIRST_RETRY_MS * 2 ** (attempt - 1)));
    }
  }
}

async function getOnce(
  url: string,
  maxBytes: number,
  { token, timeoutMs = 30_000 }: FetchLogOptions,
): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return await readBody(response, url, maxBytes);
    await response.body?.cancel();
  } catch (cause) {
    if (cause instanceof NephoError) throw cause;
    throw new NephoError(
      'log_unreachable',
      `Cannot read '${url}': ${errorMessage(cause)}`,
      { cause, retryable: true },
    );
  }
  throw refusal(url, response.status);
}

async function readBody(response: Response, url: string, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  if (response.body === null) return concatBytes(parts);
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(parts);
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      throw new NephoError(
        'resource_too_large',
        `Cannot read '${url}': it has more than ${maxBytes} bytes, the most that it may have`,
      );
    }
    parts.push(value);
  }
}

function refusal(url: string, status: number): NephoError {
  if (status === 404 || status === 410) {
    return new NephoError('tile_missing', `Cannot read '${url}': the log does not have it`);
  }
  if (status === 401 || status === 403) {
    return new NephoError(
      'log_forbidden',
      `Cannot read '${url}': the server answered ${status}, entries need an operator's token`,
    );
  }
  return new NephoError('log_unreachable', `Cannot read '${url}': the server answered ${status}`, {
    retryable: status === 429 || status >= 500,
  });
}
