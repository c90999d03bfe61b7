import type { TiledLog } from '../ledger/tiled_log.ts';
import { createRuleFinder, type FindRules } from './definition_rules.ts';
import type { ApiDeps } from './deps.ts';
import { createEventStreams, type EventStreams } from './event_stream.ts';
import { createLogReaders } from './log_reader.ts';
import type { Principal } from './principal.ts';

/** What every procedure is called with. */
export interface ApiContext {
  readonly deps: ApiDeps;
  /** The logs' public resources, and their entries: ask only for what the principal may see. */
  readonly openLog: (logId: number) => TiledLog;
  /** The rules that made a sample. */
  readonly findRules: FindRules;
  /** What subscriptions are fed by. */
  readonly streams: EventStreams;
  /** Null without a key: only public procedures answer then. */
  readonly principal: Principal | null;
  /** Why the key that was sent was refused, null if it was not: no procedure answers then. */
  readonly denied: unknown;
  /** Stands in the answer's `x-request-id`, in errors and in the log. */
  readonly requestId: string;
}

/** The context of tests and of callers inside the process; over HTTP, handler.ts makes it. */
export function createContext(
  deps: ApiDeps,
  options: { principal: Principal | null; requestId: string },
): ApiContext {
  const openLog = createLogReaders(deps.db.pool, deps.archives);
  const findRules = createRuleFinder(deps.db.pool);
  const streams = createEventStreams(deps.db.pool);
  return { deps, openLog, findRules, streams, denied: null, ...options };
}
