/**
 * The actor `audit`, started by a Schedule each night: has what a random seed chooses recomputed from
 * samples, proven and replayed, one hour, statement or history after the other. It has no messages: what it
 * finds is kept in the database, and the Schedule is what is paused and resumed.
 */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { AuditActivities, AuditPart, AuditPlan } from '../activities/audit_run.ts';
import { AUDIT_OPTIONS, AUDIT_PARTS_PER_RUN } from '../temporal.config.ts';

const { planAudit, auditPart, endAudit } = proxyActivities<AuditActivities>(AUDIT_OPTIONS);

/** What a run hands on to the next. */
export interface AuditState {
  plan: AuditPlan;
  /** Parts that are done, over all kinds. */
  done: number;
  findings: number;
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

export async function auditOnce(before?: AuditState): Promise<AuditReceipt> {
  const state = before ?? { plan: await planAudit(), done: 0, findings: 0 };
  const { plan } = state;
  const parts = KINDS.flatMap((part) =>
    Array.from({ length: plan.sizes[part] }, (_, index) => ({ part, index }))
  );
  const end = Math.min(parts.length, state.done + AUDIT_PARTS_PER_RUN);
  let { findings } = state;
  for (const each of parts.slice(state.done, end)) {
    findings += (await auditPart({ plan, ...each })).findings;
  }
  if (end < parts.length) await continueAsNew<typeof auditOnce>({ plan, done: end, findings });
  const { audit_run_id, seed, sizes } = plan;
  await endAudit({ audit_run_id });
  return { audit_run_id, seed, ...sizes, findings };
}
