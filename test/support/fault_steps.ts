/**
 * The steps of a worker at which a fault test ends it, found from outside: by the statements that go
 * through its pool and the calls of its puller. Production code knows nothing of them.
 */
import { writeSync } from 'node:fs';
import process from 'node:process';
import type { Pool, PoolClient } from 'pg';
import type { IntakeMessage, IntakePuller } from '../../bus/puller.ts';

export const FAULT_STEPS = [
  'opening', // the log's epoch is raised, not committed
  'opened', // … committed
  'recording', // an entry of a key or of definitions is written, not committed
  'pulled', // messages are here, nothing is written
  'learned', // their series are in the dictionaries, nothing else is
  'locked', // inside the transaction, nothing written
  'inserted', // after the samples' rows
  'committing', // all is written, COMMIT not sent
  'commit_sent', // COMMIT is sent, nobody knows what came of it
  'committed', // before any acknowledgement
  'acknowledging', // every other message is acknowledged
  'acknowledged', // acknowledged, but not flushed
  'flushed', // the server has the acknowledgements
  'leg_ended', // the receipt is made, and nobody has it
] as const;
export type FaultStep = (typeof FAULT_STEPS)[number];

export interface FaultPlan {
  step: FaultStep;
  /** The how many-th time the step is reached, from 1. */
  occurrence: number;
  /** `kill`: SIGKILL. `stop`: SIGSTOP, as a machine that hangs, until somebody sends SIGCONT. */
  action: 'kill' | 'stop';
  /** Goes on for so long after the step: for what happens by itself afterwards. */
  delayMs?: number;
}

/** Counts the steps that are reached, and strikes at the one that was planned. */
export class FaultTrigger {
  readonly #plan: FaultPlan | null;
  #reached = 0;

  constructor(plan: FaultPlan | null) {
    this.#plan = plan;
  }

  /** True if the next time that this step is reached is the planned one. */
  isNext(step: FaultStep): boolean {
    return this.#plan?.step === step && this.#reached + 1 === this.#plan.occurrence;
  }

  reach(step: FaultStep): void {
    if (this.#plan?.step !== step) return;
    this.#reached += 1;
    if (this.#reached !== this.#plan.occurrence) return;
    const { action, delayMs } = this.#plan;
    if (delayMs === undefined) strike(step, action);
    else setTimeout(() => strike(step, action), delayMs);
  }
}

function strike(step: FaultStep, action: 'kill' | 'stop'): void {
  // Written through at once: what the stream would hold back dies with the process.
  writeSync(1, `${JSON.stringify({ event: 'struck', step, action })}\n`);
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // The signal may take a moment to arrive, in which nothing more may happen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action === 'kill' ? 10_000 : 20);
}

type Work = 'open' | 'records' | 'batch' | 'other';

/** The same pool, its statements watched. */
export function watchPool(pool: Pool, trigger: FaultTrigger): Pool {
  return new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') {
        return async () => watchClient(await target.connect(), trigger);
      }
      if (name === 'query') {
        return async (...args: unknown[]) => {
          const result = await call(target, args);
          if (/INSERT INTO (series|metadata|event_types)\b/.test(textOf(args[0]))) {
            trigger.reach('learned');
          }
          return result;
        };
      }
      return bound(target, name);
    },
  });
}

function watchClient(client: PoolClient, trigger: FaultTrigger): PoolClient {
  let work: Work = 'other';
  return new Proxy(client, {
    get(target, name) {
      if (name !== 'query') return bound(target, name);
      return async (...args: unknown[]) => {
        const text = textOf(args[0]);
        if (text === 'BEGIN') work = 'other';
        if (text === 'COMMIT') return await commit(target, args, { work, trigger });
        const result = await call(target, args);
        if (/^\s*UPDATE logs SET epoch/.test(text)) work = 'open';
        else if (/^\s*INSERT INTO records/.test(text)) work = 'records';
        else if (/^\s*INSERT INTO samples/.test(text)) trigger.reach('inserted');
        else if (/FOR UPDATE\s*$/.test(text)) {
          work = 'batch';
          trigger.reach('locked');
        }
        return result;
      };
    },
  });
}

async function commit(
  client: PoolClient,
  args: unknown[],
  { work, trigger }: { work: Work; trigger: FaultTrigger },
): Promise<unknown> {
  if (work === 'open') trigger.reach('opening');
  if (work === 'records') trigger.reach('recording');
  if (work === 'batch') trigger.reach('committing');
  const committing = call(client, args);
  if (work === 'batch') trigger.reach('commit_sent');
  const result = await committing;
  if (work === 'open') trigger.reach('opened');
  if (work === 'batch') trigger.reach('committed');
  return result;
}

/** The same puller, in batches of at most `batchSize` so that few messages make many steps. */
export function watchPuller(
  puller: IntakePuller,
  trigger: FaultTrigger,
  batchSize: number,
): IntakePuller {
  let acknowledged = 0;
  const watched = (message: IntakeMessage): IntakeMessage => ({
    ...message,
    ack: () => {
      acknowledged += 1;
      if (!trigger.isNext('acknowledging') || acknowledged % 2 === 1) message.ack();
    },
  });
  return {
    pull: async (options) => {
      const maxMessages = Math.min(options.maxMessages, batchSize);
      const messages = await puller.pull({ ...options, maxMessages });
      if (messages.length > 0) trigger.reach('pulled');
      return messages.map(watched);
    },
    pending: () => puller.pending(),
    flush: async () => {
      acknowledged = 0;
      trigger.reach('acknowledged');
      await puller.flush();
      trigger.reach('acknowledging');
      trigger.reach('flushed');
    },
    close: async () => {
      await puller.close();
      trigger.reach('leg_ended');
    },
  };
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  const text: unknown = typeof query === 'object' && query !== null
    ? Reflect.get(query, 'text')
    : null;
  return typeof text === 'string' ? text : '';
}

async function call(target: Pool | PoolClient, args: unknown[]): Promise<unknown> {
  return await Reflect.apply(target.query, target, args);
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
