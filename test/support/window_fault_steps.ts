/**
 * The steps of sealing and revising at which a fault test ends the worker, found from outside: by the
 * statements that go through its pool. Production code knows nothing of them.
 */
import { writeSync } from 'node:fs';
import process from 'node:process';
import type { Pool, PoolClient } from 'pg';

/** After which statement; `COMMIT` also before it, and between sending it and its answer. */
const STATEMENTS = {
  read_keeper: /FROM window_keepers WHERE log_id = \$1$/,
  read_samples: /FROM samples s WHERE s\.ts >=/,
  read_late: /^WITH b AS MATERIALIZED[\s\S]*s\.series_id/,
  read_windows: /FROM windows w/,
  locked: /FROM logs WHERE log_id = \$1 FOR UPDATE/,
  keeper_locked: /FROM window_keepers WHERE log_id = \$1 FOR UPDATE/,
  rules_written: /INSERT INTO usage_rule_sets/,
  windows_written: /INSERT INTO windows/,
  seal_written: /INSERT INTO seals/,
  revision_written: /INSERT INTO revisions/,
  rollups_written: /INSERT INTO window_rollups/,
  keeper_moved: /UPDATE window_keepers/,
  records_written: /INSERT INTO records/,
  checkpoint_written: /INSERT INTO checkpoints/,
  head_moved: /UPDATE logs SET size/,
} as const;

export const WINDOW_FAULT_STEPS = [
  ...Object.keys(STATEMENTS) as (keyof typeof STATEMENTS)[],
  'committing',
  'commit_sent',
  'committed',
] as const;
export type WindowFaultStep = (typeof WINDOW_FAULT_STEPS)[number];

export interface WindowFaultPlan {
  step: WindowFaultStep;
  /** The how many-th time the step is reached, from 1. */
  occurrence: number;
  /** `kill`: SIGKILL. `stop`: SIGSTOP, as a machine that hangs, until somebody sends SIGCONT. */
  action: 'kill' | 'stop';
}

/** The same pool, its statements watched. */
export function watchStatements(pool: Pool, plan: WindowFaultPlan | null): Pool {
  let reached = 0;
  const reach = (step: WindowFaultStep): void => {
    if (plan?.step !== step) return;
    reached += 1;
    if (reached === plan.occurrence) strike(plan);
  };
  const query = async (target: Pool | PoolClient, args: unknown[]): Promise<unknown> => {
    const text = textOf(args[0]);
    if (text === 'COMMIT') reach('committing');
    const answer: Promise<unknown> = Reflect.apply(target.query, target, args);
    if (text === 'COMMIT') reach('commit_sent');
    const result = await answer;
    if (text === 'COMMIT') reach('committed');
    for (const [step, pattern] of Object.entries(STATEMENTS)) {
      if (pattern.test(text)) reach(step as WindowFaultStep);
    }
    return result;
  };
  const watched = <Target extends Pool | PoolClient>(watching: Target): Target =>
    new Proxy(watching, {
      get(target, name) {
        if (name === 'query') return (...args: unknown[]) => query(target, args);
        if (name === 'connect') return async () => watched(await (target as Pool).connect());
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  return watched(pool);
}

function strike({ step, action }: WindowFaultPlan): void {
  // Written through at once: what the stream would hold back dies with the process.
  writeSync(1, `${JSON.stringify({ event: 'struck', step })}\n`);
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // The signal may take a moment to arrive, in which nothing more may happen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action === 'kill' ? 10_000 : 20);
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  const text: unknown = typeof query === 'object' && query !== null
    ? Reflect.get(query, 'text')
    : null;
  return typeof text === 'string' ? text : '';
}
