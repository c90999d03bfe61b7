/**
 * The actor `audit`, started by a Schedule each night: has what a random seed chooses recomputed from
 * samples, proven and replayed, one hour, statement or history after the other. It has no messages: what it
 * finds is kept in the database, and the Schedule is what is paused and resumed.
 */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { AuditActivities, AuditPart, AuditPlan } from '../activities/audit_run.ts';
import { AUDIT_OPTIONS, AUDIT_PARTS_PER_RUN } from '../temporal.config.ts';

const { planAudit, auditPart, endAudit } = proxyActivities<AuditActivities>(AUDIT_OPTIONS);

export interface AuditState {
  /** Parts before it continues as new, {@link AUDIT_PARTS_PER_RUN} unless given. */
  parts_per_run?: number;
  /** What a run hands on to the next: the parts that are done, over all kinds. */
  before?: { plan: AuditPlan; done: number; findings: number };
}

export interface AuditReceipt {
  audit_run_id: number;
  /** By which the same choice can be made again. */
  seed: string;
  hours: number;
  statements: number;
  histories: number;
  /** Differences that were met, new or known. */
  findings: number;
}

const KINDS: readonly AuditPart[] = ['hours', 'statements', 'histories'];

export async function auditOnce(input: AuditState = {}): Promise<AuditReceipt> {
  const before = input.before ?? { plan: await planAudit(), done: 0, findings: 0 };
  const { plan } = before;
  const parts = KINDS.flatMap((part) =>
    Array.from({ length: plan.sizes[part] }, (_, index) => ({ part, index }))
  );
  const end = before.done + (input.parts_per_run ?? AUDIT_PARTS_PER_RUN);
  let { findings } = before;
  for (const each of parts.slice(before.done, end)) {
    findings += (await auditPart({ plan, ...each })).findings;
  }
  if (end < parts.length) {
    await continueAsNew<typeof auditOnce>({ ...input, before: { plan, done: end, findings } });
  }
  const { audit_run_id, seed, sizes } = plan;
  await endAudit({ audit_run_id });
  return { audit_run_id, seed, ...sizes, findings };
}
