/**
 * A worker that revises and seals, a process of its own so that SIGKILL ends it truly. Its plan is its only
 * argument, JSON; it reports one JSON object a line, and ends when its input does.
 */
import { writeSync } from 'node:fs';
import process from 'node:process';
import { isNephoError } from '../../meters/errors.ts';
import { watchStatements, type WindowFaultPlan } from './window_fault_steps.ts';
import { WindowWorld } from './window_world.ts';

export interface WindowFaultWorkerPlan {
  databaseUrl: string;
  nowMs: number;
  /** The log's size to revise up to and to seal at. */
  size: number;
  /** First instant of the first hour that stays open. */
  until: string;
  fault: WindowFaultPlan | null;
}

export type WindowFaultEvent =
  | { event: 'struck'; step: string }
  | { event: 'done' }
  | { event: 'failed'; code: string; message: string };

const plan = JSON.parse(process.argv[2] ?? '') as WindowFaultWorkerPlan;
process.stdin.resume().once('end', () => process.exit(0));

const world = await WindowWorld.attach(plan.databaseUrl, plan.nowMs);
const deps = world.deps({ pool: watchStatements(world.pool, plan.fault) });
try {
  await world.begin();
  await world.revise(plan.size, deps);
  const keeper = await world.begin();
  const from = keeper?.sealedUntil ?? plan.until;
  await world.seal({ from, to: plan.until, size: plan.size }, deps);
  report({ event: 'done' });
} catch (error) {
  const code = isNephoError(error) ? error.code : 'unexpected';
  report({ event: 'failed', code, message: String(error) });
}
await world.stop();
process.exit(0);

function report(event: WindowFaultEvent): void {
  writeSync(1, `${JSON.stringify(event)}\n`);
}
