/** Tells endpoints of statements, one attempt at a time, and puts on record what came of each. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { getStatement } from '../db/statements.ts';
import {
  beginAttempt,
  type Delivery,
  type DeliveryStatus,
  endAttempt,
  endDelivery,
  readDelivery,
} from '../db/webhooks.ts';
import { parseStatement } from '../ledger/statement_document.ts';
import { signWebhook } from '../ledger/webhook_signature.ts';
import type { WebhookEndpoint } from '../meters/billing_config.ts';
import { assert } from '../meters/assert.ts';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import type { WebhookDeps } from './billing_deps.ts';
import { ingestFailure } from './failures.ts';
import { webhookBody } from './webhook_body.ts';
import { sendWebhook, type WebhookAnswer } from './webhook_sender.ts';

export interface AttemptOutcome {
  /** `gone`: the endpoint wants no more of it. */
  status: 'delivered' | 'gone' | 'failed';
  /** From 1, over all runs. */
  attempt: number;
  /** Of the answer; null if there was none. */
  status_code: number | null;
  /** Stable code of what went wrong; null if it was taken. */
  failure: string | null;
  /** How long the endpoint asked us to wait; null if it did not. */
  retry_after_seconds: number | null;
}

export interface WebhookActivities {
  /**
   * Sends a webhook once. Whatever the endpoint does is the outcome, not a failure. Safe to repeat: it is then
   * sent again, as another attempt with the same `webhook-id`.
   */
  attemptWebhook(input: { delivery_id: string }): Promise<AttemptOutcome>;
  giveUpWebhook(input: { delivery_id: string }): Promise<void>;
}

/** Webhooks under way to one endpoint; a worker has a few times as many places. */
const AT_ONCE_TO_ONE = 4;

/** Milliseconds between two signs that an attempt is still under way. */
const BEAT_MS = 3_000;

/** @param beat tells Temporal that the call lives */
export function createWebhookActivities(
  deps: WebhookDeps,
  beat: () => void = () => Context.current().heartbeat(),
): WebhookActivities {
  const underWay = new Map<string, number>();
  return {
    attemptWebhook: async ({ delivery_id }) => {
      const delivery = await known(deps, delivery_id);
      const { endpoint } = delivery;
      const before = underWay.get(endpoint) ?? 0;
      if (before >= AT_ONCE_TO_ONE) throw busy(endpoint);
      underWay.set(endpoint, before + 1);
      const beating = setInterval(beat, BEAT_MS);
      try {
        return await attempt(deps, delivery);
      } catch (error) {
        throw ingestFailure(error);
      } finally {
        clearInterval(beating);
        underWay.set(endpoint, (underWay.get(endpoint) ?? 1) - 1);
      }
    },
    giveUpWebhook: async ({ delivery_id }) => {
      const endedAt = formatMillis(deps.nowMs());
      await endDelivery(deps.pool, delivery_id, { status: 'failed', endedAt });
      deps.log.warn('webhook_given_up', { delivery: delivery_id });
    },
  };
}

/** An endpoint that hangs must not take the place of all others: the attempt comes back, and has not begun. */
function busy(endpoint: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `Cannot send to '${endpoint}' now: ${AT_ONCE_TO_ONE} webhooks are under way to it`,
    type: 'endpoint_busy',
    nextRetryDelay: '2 seconds',
  });
}

async function known({ pool }: WebhookDeps, deliveryId: string): Promise<Delivery> {
  const delivery = await readDelivery(pool, deliveryId).catch((error: unknown) => {
    throw ingestFailure(error);
  });
  if (delivery !== null) return delivery;
  throw ApplicationFailure.create({
    message: `Cannot deliver '${deliveryId}': there is no such delivery`,
    type: 'delivery_unknown',
    nonRetryable: true,
  });
}

async function attempt(deps: WebhookDeps, delivery: Delivery): Promise<AttemptOutcome> {
  const { pool } = deps;
  const startedMs = deps.nowMs();
  const { deliveryId } = delivery;
  const body = await bodyOf(deps, delivery);
  const number = await beginAttempt(pool, deliveryId, formatMillis(startedMs));
  const verdict = await verdictOf(() => send(deps, delivery, body), deps.nowMs);
  await endAttempt(pool, deliveryId, {
    attempt: number,
    milliseconds: Math.max(0, Math.round(deps.nowMs() - startedMs)),
    statusCode: verdict.statusCode,
    failure: verdict.failure,
    detail: verdict.detail,
  });
  await note(deps, delivery, verdict.status);
  deps.log.info('webhook_attempted', {
    delivery: deliveryId,
    attempt: number,
    endpoint: delivery.endpoint,
    status: verdict.statusCode,
    failure: verdict.failure,
  });
  return {
    status: verdict.status,
    attempt: number,
    status_code: verdict.statusCode,
    failure: verdict.failure,
    retry_after_seconds: verdict.retryAfterSeconds,
  };
}

/** A delivery that had failed and is sent again is pending again. */
async function note(
  { pool, nowMs }: WebhookDeps,
  delivery: Delivery,
  outcome: AttemptOutcome['status'],
): Promise<void> {
  const status: DeliveryStatus = outcome === 'failed' ? 'pending' : outcome;
  // What was taken once stays taken, whatever a second one is answered.
  if (status === delivery.status || (delivery.status === 'delivered' && status !== 'gone')) return;
  const endedAt = status === 'pending' ? null : formatMillis(nowMs());
  await endDelivery(pool, delivery.deliveryId, { status, endedAt });
}

async function bodyOf({ pool }: WebhookDeps, delivery: Delivery): Promise<string> {
  const statement = await getStatement(pool, 'all', delivery);
  assert(statement !== null, `delivery ${delivery.deliveryId} is of a statement`);
  const { digest, document } = statement;
  return webhookBody(parseStatement(document), { digest, event: delivery.event });
}

/** To whom, and by which secrets, is asked for anew at each attempt: both change. */
async function send(deps: WebhookDeps, delivery: Delivery, body: string): Promise<WebhookAnswer> {
  const { webhooks } = await deps.billing();
  const endpoint = webhooks.find(({ name }) => name === delivery.endpoint);
  if (endpoint === undefined) {
    throw new NephoError(
      'endpoint_unknown',
      `Cannot send to '${delivery.endpoint}': billing.yaml names no such webhook any more`,
    );
  }
  const id = delivery.deliveryId;
  const secrets = await secretsOf(deps, endpoint);
  const timestamp = Math.floor(deps.nowMs() / 1_000);
  return await sendWebhook({
    url: endpoint.url,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'nepho',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signWebhook({ id, timestamp, body }, secrets),
    },
    body,
  }, {
    ...endpoint,
    ca: endpoint.caFile === null ? null : await deps.readAuthorities(endpoint.caFile),
  });
}

async function secretsOf(deps: WebhookDeps, { secrets }: WebhookEndpoint): Promise<string[]> {
  return await Promise.all(secrets.map((reference) => deps.readSecret(reference)));
}

interface Verdict {
  status: AttemptOutcome['status'];
  statusCode: number | null;
  failure: string | null;
  detail: string | null;
  retryAfterSeconds: number | null;
}

const NO_ANSWER = { status: 'failed', statusCode: null, retryAfterSeconds: null } as const;

async function verdictOf(
  sending: () => Promise<WebhookAnswer>,
  nowMs: () => number,
): Promise<Verdict> {
  try {
    const { status: statusCode, retryAfter, text } = await sending();
    const failure = failureOf(statusCode);
    const status = failure === null ? 'delivered' : failure === 'gone' ? 'gone' : 'failed';
    const detail = failure === null ? null : printable(text);
    const mayAsk = statusCode === 429 || statusCode === 503;
    const retryAfterSeconds = mayAsk ? secondsOf(retryAfter, nowMs()) : null;
    return { status, statusCode, failure, detail, retryAfterSeconds };
  } catch (error) {
    if (!isNephoError(error)) throw error;
    return { ...NO_ANSWER, failure: error.code, detail: printable(errorMessage(error)) };
  }
}

/** Null for an answer that takes the webhook. */
function failureOf(status: number): string | null {
  if (status < 300) return null;
  if (status < 400) return 'redirected';
  if (status === 410) return 'gone';
  if (status === 429) return 'rate_limited';
  return status < 500 ? 'refused' : 'server_error';
}

/** `Retry-After` as seconds or as a date (RFC 9110 section 10.2.3). */
function secondsOf(retryAfter: string | null, nowMs: number): number | null {
  if (retryAfter === null) return null;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter);
  const at = Date.parse(retryAfter);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - nowMs) / 1_000));
}

function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim().slice(0, 300);
}
