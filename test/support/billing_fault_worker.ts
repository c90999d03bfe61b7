/**
 * A worker of billing as a process of its own, so that SIGKILL ends it truly. Its plan is its only argument,
 * JSON; it begins at a first line, tells where it is struck, and ends when its input does.
 */
import process from 'node:process';
import { createDatabase } from '../../db/client.ts';
import { startBillingWorkers } from './billing_actors.ts';
import { type BillingFaultPlan, faultBilling } from './billing_fault_plan.ts';
import { BillingTrigger, watchBillingPool } from './billing_fault_steps.ts';
import { testSigner } from './test_signer.ts';
import { WORLD_RULES } from './window_world.ts';

const plan = JSON.parse(process.argv[2] ?? '') as BillingFaultPlan;
process.stdin.resume().once('end', () => process.exit(0));
// Made while another is still at work.
await new Promise((resolve) => process.stdin.once('data', resolve));

const db = createDatabase(plan.databaseUrl, { applicationName: 'billing-fault-worker' });
const config = faultBilling(plan.hookUrl);
await startBillingWorkers(plan, {
  pool: watchBillingPool(db.pool, new BillingTrigger(plan.step)),
  shards: 1,
  signers: [testSigner()],
  rules: () => Promise.resolve(WORLD_RULES),
  billing: () => Promise.resolve(config),
  nowMs: Date.now,
  log: { info: () => {}, warn: () => {}, error: () => {} },
  readSecret: () => Promise.resolve(`whsec_${'A'.repeat(32)}`),
  readAuthorities: () => Promise.reject(new Error('none')),
});
