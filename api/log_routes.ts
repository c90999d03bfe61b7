import { Hono } from 'hono';
import type { Context } from 'hono';
import { parseTilePath } from '../ledger/tile.ts';
import type { TiledLog } from '../ledger/tiled_log.ts';
import { findDefinitionSet } from '../db/definition_sets.ts';
import type { ApiEnv } from './api_env.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';

/** A tile never changes: what it holds is fixed by its path. */
const FOR_EVER = 'public, max-age=31536000, immutable';
/** Entries are the tenants' data: the caller may keep them, what stands between may not. */
const FOR_THE_CALLER = 'private, max-age=31536000, immutable';
/** A checkpoint is replaced by the next one. */
const ALWAYS_ASK = 'no-cache';

/** A verifier in a browser may read what is public from wherever it was loaded. */
const FOR_ANY_PAGE = { 'access-control-allow-origin': '*' };

const LOG_ID = /^(?:0|[1-9]\d{0,3})$/;
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Each log as C2SP tlog-tiles: checkpoints and tiles of hashes for anyone, bundles of entries and the
 * texts of definition sets for operators.
 *
 * https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md
 */
export function createLogRoutes(deps: ApiDeps, openLog: (logId: number) => TiledLog) {
  const app = new Hono<ApiEnv>();

  app.get('/:log/checkpoint', async (c) => {
    const note = await openLog(logIdOf(c)).readCheckpoint();
    return c.body(note, 200, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': ALWAYS_ASK,
      ...FOR_ANY_PAGE,
    });
  });

  app.get('/:log/definitions/:digest', async (c) => {
    requireOperator(c);
    logIdOf(c);
    const digest = c.req.param('digest');
    const set = DIGEST.test(digest) ? await findDefinitionSet(deps.db.pool, digest) : null;
    if (set === null) throw nothingThere();
    return c.json({ digest: set.digest, files: set.files }, 200, {
      'cache-control': FOR_THE_CALLER,
    });
  });

  app.get('/:log/tile/*', async (c) => {
    const logId = logIdOf(c);
    // The path as it was sent: tiles have one spelling, so nothing is decoded or normalised.
    const name = parseTilePath(rawPathOf(c).split('/').slice(3).join('/'));
    if (name === null) throw nothingThere();
    const isEntries = name.level === 'entries';
    if (isEntries) requireOperator(c);
    const log = openLog(logId);
    const bytes = name.level === 'entries'
      ? await log.readEntries(name.index, name.width)
      : await log.readTile(name.level, name.index, name.width);
    return c.body(bytes as Uint8Array<ArrayBuffer>, 200, {
      'content-type': 'application/octet-stream',
      'cache-control': isEntries ? FOR_THE_CALLER : FOR_EVER,
      ...isEntries ? { vary: 'authorization' } : FOR_ANY_PAGE,
    });
  });

  return app;
}

function logIdOf(c: Context<ApiEnv>): number {
  const text = c.req.param('log') ?? '';
  if (!LOG_ID.test(text)) throw nothingThere();
  return Number(text);
}

function rawPathOf(c: Context<ApiEnv>): string {
  return new URL(c.req.url).pathname;
}

function requireOperator(c: Context<ApiEnv>): void {
  const principal = c.get('principal');
  if (principal === null) throw apiError('unauthenticated', 'Cannot answer without a key');
  if (principal.role !== 'operator') {
    throw apiError('operator_only', "Cannot answer to a project's key");
  }
}

function nothingThere(): Error {
  return apiError('not_found', 'Cannot find this resource');
}
