import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { z } from 'zod';
import { billingPeriodId } from '../ledger/billing_identity.ts';
import { errorMessage } from '../meters/errors.ts';
import { TASK_QUEUES, webhookActorId } from '../temporal.config.ts';
import {
  type Approval,
  approveUpdate,
  type BillingPeriodStatus,
  pauseSignal,
  rejectSignal,
  resumeSignal,
  statusQuery,
} from '../workflows/billing_period.ts';
import { type DeliverWebhookState, resendSignal } from '../workflows/deliver_webhook.ts';
import { clientOf, deadline, unlessAbsent } from './actor_control.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';
import type { periodActorOutput } from './statement_schema.ts';

type Deps = Pick<ApiDeps, 'workflows'>;

export interface PeriodName {
  projectId: string;
  period: string;
}

export type PeriodOrder =
  | { order: 'pause'; reason: string }
  | { order: 'resume' }
  | { order: 'reject'; reason: string };

/** What the actor of a period is doing. @throws {NephoError} `actors_unavailable` */
export async function describePeriodActor(
  deps: Deps,
  { projectId, period }: PeriodName,
): Promise<z.output<typeof periodActorOutput>> {
  const client = clientOf(deps);
  const handle = client.getHandle(billingPeriodId(projectId, period));
  const description = await unlessAbsent(client, () => handle.describe());
  const isRunning = description?.status.name === 'RUNNING';
  const status: BillingPeriodStatus | null = isRunning
    ? await client.withDeadline(deadline(), () => handle.query(statusQuery)).catch(() => null)
    : null;
  return {
    actor_id: handle.workflowId,
    workflow_status: description?.status.name ?? 'ABSENT',
    mode: status?.mode ?? null,
    paused: status?.paused ?? null,
    reason: status?.reason ?? null,
    draft: status?.draft ?? null,
    closes_at: status?.look?.closes_at ?? null,
    sealed: status?.look?.sealed ?? null,
    looked_at: status?.looked_at ?? null,
  };
}

/** @throws {NephoError} `not_found` if it is not running, `actors_unavailable` */
export async function orderPeriodActor(
  deps: Deps,
  { projectId, period }: PeriodName,
  order: PeriodOrder,
): Promise<string> {
  const client = clientOf(deps);
  const handle = client.getHandle(billingPeriodId(projectId, period));
  const sent = await unlessAbsent(client, async () => {
    if (order.order === 'pause') await handle.signal(pauseSignal, order.reason);
    else if (order.order === 'reject') await handle.signal(rejectSignal, order.reason);
    else await handle.signal(resumeSignal);
    return true;
  });
  if (sent === null) throw notRunning(handle.workflowId);
  return handle.workflowId;
}

/** @throws {NephoError} `approval_refused`, `not_found`, `actors_unavailable` */
export async function approveStatement(
  deps: Deps,
  { projectId, period }: PeriodName,
  approval: Approval,
): Promise<void> {
  const client = clientOf(deps);
  const handle = client.getHandle(billingPeriodId(projectId, period));
  const refusal = await unlessAbsent(client, async () => {
    try {
      await handle.executeUpdate(approveUpdate, { args: [approval] });
      return { reason: null };
    } catch (error) {
      if (!(error instanceof WorkflowUpdateFailedError)) throw error;
      return { reason: errorMessage(error.cause ?? error) };
    }
  });
  if (refusal === null) throw notRunning(handle.workflowId);
  if (refusal.reason !== null) throw apiError('approval_refused', refusal.reason);
}

/** Has a webhook sent at once, with the `webhook-id` that it always had. */
export async function resendWebhook(deps: Deps, deliveryId: string): Promise<void> {
  const client = clientOf(deps);
  const state: DeliverWebhookState = { delivery_id: deliveryId };
  await unlessAbsent(client, () =>
    client.signalWithStart('deliverWebhook', {
      workflowId: webhookActorId(deliveryId),
      taskQueue: TASK_QUEUES.control,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [state],
      signal: resendSignal,
      signalArgs: [],
    }));
}

function notRunning(actorId: string): Error {
  return apiError('not_found', `Cannot reach ${actorId}: it is not running`);
}
