/**
 * The actor `deliverWebhook`: tells one endpoint of one statement, by the schedule of Standard Webhooks over
 * three days, until it is taken, refused for ever, or given up. Its id is `webhook-<webhook-id>`; every attempt
 * is one activity and one record in the database, which no secret and no body ever leaves. `resend` has it sent
 * at once and begins the schedule anew; an actor that has ended is started again.
 */
import {
  condition,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type { AttemptOutcome, WebhookActivities } from '../activities/deliver_webhook.ts';
import { WEBHOOK_DELAYS, WEBHOOK_MAX_WAIT_SECONDS, WEBHOOK_OPTIONS } from '../temporal.config.ts';

export interface DeliverWebhookState {
  delivery_id: string;
  /** Instead of those of the schedule. */
  delays?: number[];
}

export interface DeliverWebhookStatus {
  delivery_id: string;
  /** Attempts of this run. */
  attempts: number;
  last: AttemptOutcome | null;
  /** Seconds of the wait for the next attempt; null while it is made. */
  waiting_seconds: number | null;
}

export type DeliverWebhookResult = 'delivered' | 'gone' | 'failed';

export const resendSignal = defineSignal('resend');
export const deliveryStatusQuery = defineQuery<DeliverWebhookStatus>('status');

/** Resends that one run obeys: a person who asks more often has another reason than the endpoint. */
const MAX_RESENDS = 50;
/** Delays from this on are lengthened by chance. */
const MIN_JITTERED_SECONDS = 60;

const { attemptWebhook, giveUpWebhook } = proxyActivities<WebhookActivities>(WEBHOOK_OPTIONS);

export async function deliverWebhook(input: DeliverWebhookState): Promise<DeliverWebhookResult> {
  const { delivery_id } = input;
  const delays = input.delays ?? WEBHOOK_DELAYS;
  let attempts = 0;
  let resends = 0;
  let isAsked = false;
  let last: AttemptOutcome | null = null;
  let waiting: number | null = null;

  setHandler(resendSignal, () => {
    if (resends >= MAX_RESENDS) return;
    isAsked = true;
  });
  setHandler(deliveryStatusQuery, () => ({
    delivery_id,
    attempts,
    last,
    waiting_seconds: waiting,
  }));

  for (let step = 0; step < delays.length; step += 1) {
    waiting = secondsToWait(delays[step] ?? 0, last);
    if (waiting > 0 && !isAsked) await condition(() => isAsked, waiting * 1_000);
    waiting = null;
    if (isAsked) {
      isAsked = false;
      resends += 1;
      step = 0;
    }
    last = await attemptWebhook({ delivery_id });
    attempts += 1;
    if (last.status !== 'failed') return last.status;
  }
  await giveUpWebhook({ delivery_id });
  return 'failed';
}

/** The schedule's delay, or as long as the endpoint asked for, whichever is longer. */
function secondsToWait(delay: number, last: AttemptOutcome | null): number {
  const jitter = delay < MIN_JITTERED_SECONDS ? 0 : delay * 0.1 * Math.random();
  const asked = Math.min(last?.retry_after_seconds ?? 0, WEBHOOK_MAX_WAIT_SECONDS);
  return Math.max(Math.round(delay + jitter), asked);
}
