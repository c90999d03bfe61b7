/**
 * The steps of closing and delivering at which a fault test ends a worker, found from outside: by the
 * statements that go through its pool, and by what it asks for beside.
 */
import { writeSync } from 'node:fs';
import process from 'node:process';
import type { Pool, PoolClient } from 'pg';

export const BILLING_STEPS = [
  'scanning', // periods are found and not committed
  'scanned', // … committed, and nobody was told
  'looked', // the actor looks at its period
  'assembling', // the windows are read, nothing is written
  'locked', // the home log is locked
  'inserted', // the statement's row is written, not committed
  'promised', // and its deliveries
  'committing', // all is written, COMMIT not sent
  'commit_sent', // COMMIT is sent, nobody knows what came of it
  'committed', // the statement is there, the actor does not know it
  'attempting', // an attempt is on record, nothing was sent
  'sent', // the endpoint has it, what came of it is not on record
  'recorded', // … it is, the delivery is still pending
  'delivered', // all is written, the actor does not know it
] as const;
export type BillingStep = (typeof BILLING_STEPS)[number];

/** Ends this process when a step is reached. */
export class BillingTrigger {
  readonly #step: BillingStep | null;

  constructor(step: BillingStep | null) {
    this.#step = step;
  }

  reach(step: BillingStep): void {
    if (step !== this.#step) return;
    writeSync(1, `${JSON.stringify({ event: 'struck', step })}\n`);
    process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment to arrive, in which nothing more may happen.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
  }
}

/** What is reached once a statement has run, by how it begins. */
const AFTER: readonly [RegExp, BillingStep][] = [
  [/^\s*INSERT INTO billing_periods/, 'scanning'],
  [/^\s*SELECT max\(number\) AS number FROM statements/, 'looked'],
  [/^\s*SELECT DISTINCT ON \(w\.series_id, w\.start\)/, 'assembling'],
  [/^SELECT origin, size, root, frontier, origins_count FROM logs/, 'locked'],
  [/^\s*INSERT INTO statement_lines/, 'inserted'],
  [/^\s*INSERT INTO webhook_deliveries/, 'promised'],
  [/^\s*INSERT INTO webhook_attempts/, 'attempting'],
  [/^\s*UPDATE webhook_attempts/, 'recorded'],
  [/^\s*UPDATE webhook_deliveries/, 'delivered'],
];

/** The same pool, its statements watched. */
export function watchBillingPool(pool: Pool, trigger: BillingTrigger): Pool {
  return new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') return async () => watchClient(await target.connect(), trigger);
      if (name === 'query') return (...args: unknown[]) => query(target, args, trigger);
      return bound(target, name);
    },
  });
}

function watchClient(client: PoolClient, trigger: BillingTrigger): PoolClient {
  let work: 'scan' | 'close' | null = null;
  return new Proxy(client, {
    get(target, name) {
      if (name !== 'query') return bound(target, name);
      return async (...args: unknown[]) => {
        const text = textOf(args[0]);
        if (text === 'BEGIN') work = null;
        if (/INSERT INTO statements/.test(text)) work = 'close';
        if (/INSERT INTO billing_periods/.test(text)) work = 'scan';
        if (text !== 'COMMIT') return await query(target, args, trigger);
        if (work === 'close') trigger.reach('committing');
        const committing = query(target, args, trigger);
        if (work === 'close') trigger.reach('commit_sent');
        const result = await committing;
        if (work === 'close') trigger.reach('committed');
        if (work === 'scan') trigger.reach('scanned');
        return result;
      };
    },
  });
}

async function query(
  target: Pool | PoolClient,
  args: unknown[],
  trigger: BillingTrigger,
): Promise<unknown> {
  const text = textOf(args[0]);
  // The endpoint has answered by the time that its answer is written down.
  if (/^\s*UPDATE webhook_attempts/.test(text)) trigger.reach('sent');
  const result: unknown = await Reflect.apply(target.query, target, args);
  const after = AFTER.find(([pattern]) => pattern.test(text));
  if (after !== undefined) trigger.reach(after[1]);
  return result;
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  const text: unknown = typeof query === 'object' && query !== null
    ? Reflect.get(query, 'text')
    : null;
  return typeof text === 'string' ? text : '';
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
