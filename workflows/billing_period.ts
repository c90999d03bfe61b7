/**
 * The actor `billingPeriod(project, period)`: holds what a project used in a period so far, and closes the
 * period into a statement once it has ended, its grace is over and all its hours are sealed. Its id is
 * `billing-<project>-<period>`, see ledger/billing_identity.ts.
 *
 * It ends when the statement is closed and those who are to be told of it are being told. When windows are
 * revised afterwards it is started again: it closes an amendment, if any quantity differs. Where an operator's
 * approval is needed, a draft waits for it, and what was approved is what is closed.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  ParentClosePolicy,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { BillingActivities, PeriodLook } from '../activities/billing_activities.ts';
import type { ClosedStatement, CloseOrder } from '../activities/close_statement.ts';
import { formatMillis, toMicros } from '../meters/timestamp.ts';
import {
  BILLING_LOOK_SECONDS,
  BILLING_LOOKS_PER_RUN,
  BILLING_OPTIONS,
  BILLING_WAIT_SECONDS,
  CLOSING_OPTIONS,
  TASK_QUEUES,
  webhookActorId,
} from '../temporal.config.ts';
import { isAlreadyStarted } from './already_started.ts';
import type { DeliverWebhookState } from './deliver_webhook.ts';

/**
 * - `open`: the period runs, or its hours are not sealed yet; - `closing`: the statement is made;
 * - `awaiting_approval`: a draft waits for an operator; - `rejected`: and was refused;
 * - `halted`: by a failure that no retry can mend.
 */
export type BillingPeriodMode = 'open' | 'closing' | 'awaiting_approval' | 'rejected' | 'halted';

/** A statement as it would be closed. */
export interface StatementDraft {
  number: number;
  digest: string;
  lines: number;
  gaps: number;
}

/** What the actor is given, and what it hands to its next run. */
export interface BillingPeriodState {
  project_id: string;
  period: string;
  paused?: string | null;
  look_seconds?: number;
  wait_seconds?: number;
  looks_per_run?: number;
}

export interface BillingPeriodStatus {
  project_id: string;
  period: string;
  mode: BillingPeriodMode;
  /** Why it is paused, null if it is not. */
  paused: string | null;
  /** Why the draft was rejected, or the failure that halted it. */
  reason: string | null;
  draft: StatementDraft | null;
  /** As it was last looked at; null before. */
  look: PeriodLook | null;
  looked_at: string | null;
}

export interface BillingPeriodResult {
  /** Statements closed by this run. */
  closed: { number: number; digest: string }[];
}

export interface Approval {
  number: number;
  /** Of the draft, so that nobody approves what they have not seen. */
  digest: string;
}

export const pauseSignal = defineSignal<[string?]>('pause');
/** Also has a rejected draft made anew. */
export const resumeSignal = defineSignal('resume');
/** Windows of the period were revised. */
export const amendSignal = defineSignal('amend');
export const rejectSignal = defineSignal<[string]>('reject');
export const approveUpdate = defineUpdate<Approval, [Approval]>('approve');
export const statusQuery = defineQuery<BillingPeriodStatus>('status');

const { lookAtPeriod, chooseSizes } = proxyActivities<BillingActivities>(BILLING_OPTIONS);
const { draftStatement, closeStatement } = proxyActivities<BillingActivities>(CLOSING_OPTIONS);

export async function billingPeriod(input: BillingPeriodState): Promise<BillingPeriodResult> {
  const actor = new PeriodActor(input);
  const limit = input.looks_per_run ?? BILLING_LOOKS_PER_RUN;
  for (let looks = 0; looks < limit; looks += 1) {
    if (workflowInfo().continueAsNewSuggested) break;
    if (await actor.step()) return { closed: actor.closed };
  }
  return await continueAsNew<typeof billingPeriod>({ ...input, paused: actor.paused });
}

class PeriodActor {
  readonly #name: { project_id: string; period: string };
  readonly #lookSeconds: number;
  readonly #waitSeconds: number;
  readonly closed: BillingPeriodResult['closed'] = [];
  paused: string | null;
  #mode: BillingPeriodMode = 'open';
  #reason: string | null = null;
  #look: PeriodLook | null = null;
  #lookedAt: string | null = null;
  #draft: StatementDraft | null = null;
  #decision: 'approved' | 'again' | null = null;
  #isRevised = false;

  constructor({ project_id, period, ...state }: BillingPeriodState) {
    this.#name = { project_id, period };
    this.#lookSeconds = state.look_seconds ?? BILLING_LOOK_SECONDS;
    this.#waitSeconds = state.wait_seconds ?? BILLING_WAIT_SECONDS;
    this.paused = state.paused ?? null;
    this.#listen();
  }

  /** Looks once, and does what is due. @returns true if nothing is left to be done */
  async step(): Promise<boolean> {
    await condition(() => this.paused === null && this.#mode !== 'halted');
    try {
      this.#look = await lookAtPeriod(this.#name);
      this.#lookedAt = formatMillis(Date.now());
      const { statements, sealed, closes_at } = this.#look;
      if (statements > 0 || (sealed && this.#lookedAt >= closes_at)) return await this.#settle();
      await condition(() => this.paused !== null, this.#secondsToWait(closes_at) * 1_000);
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // Any other failure was retried until it passed.
      this.#mode = codeOf(error) === 'statement_changed' ? 'open' : 'halted';
      this.#reason = failureSentence(error);
    }
    return false;
  }

  /** Closes what is to be closed. @returns true unless windows were revised meanwhile */
  async #settle(): Promise<boolean> {
    this.#isRevised = false;
    const statement = await this.#close();
    if (statement !== null) {
      this.closed.push({ number: statement.number, digest: statement.digest });
      await deliver(statement);
      this.#isRevised ||= statement.is_revised;
    }
    this.#mode = 'open';
    return !this.#isRevised;
  }

  /** @returns null for an amendment in which no quantity differs */
  async #close(): Promise<ClosedStatement | null> {
    for (;;) {
      this.#mode = 'closing';
      const { statements, approval } = await lookAtPeriod(this.#name);
      const order: CloseOrder = {
        ...this.#name,
        number: statements,
        sizes: (await chooseSizes()).sizes,
        closed_at: formatMillis(Date.now()),
      };
      if (!approval) return await closeStatement({ ...order, expected: null });
      const { is_news, ...figures } = await draftStatement(order);
      if (!is_news) return null;
      const draft = { number: order.number, ...figures };
      if (await this.#isApproved(draft)) {
        this.#mode = 'closing';
        return await closeStatement({ ...order, expected: draft.digest });
      }
    }
  }

  /** Waits for an operator. False if the draft is to be made anew. */
  async #isApproved(draft: StatementDraft): Promise<boolean> {
    this.#draft = draft;
    this.#decision = null;
    this.#reason = null;
    this.#mode = 'awaiting_approval';
    await condition(() => this.#decision !== null && this.paused === null);
    this.#draft = null;
    return this.#decision === 'approved';
  }

  #listen(): void {
    setHandler(pauseSignal, (why) => {
      this.paused = why ?? 'paused';
    });
    setHandler(resumeSignal, () => {
      this.paused = null;
      if (this.#mode === 'rejected') this.#decision = 'again';
      if (this.#mode === 'halted') this.#mode = 'open';
    });
    setHandler(amendSignal, () => {
      this.#isRevised = true;
    });
    setHandler(rejectSignal, (why) => {
      if (this.#mode !== 'awaiting_approval') return;
      this.#mode = 'rejected';
      this.#reason = why;
    });
    setHandler(approveUpdate, (approval) => {
      this.#decision = 'approved';
      return { ...approval };
    }, { validator: (approval) => this.#checkApproval(approval) });
    setHandler(statusQuery, () => ({
      ...this.#name,
      mode: this.#mode,
      paused: this.paused,
      reason: this.#reason,
      draft: this.#draft,
      look: this.#look,
      looked_at: this.#lookedAt,
    }));
  }

  #checkApproval({ number, digest }: Approval): void {
    if (this.#draft === null || this.#decision !== null) {
      throw refusal('approval_unasked', 'there is no statement that waits for it');
    }
    if (number !== this.#draft.number || digest !== this.#draft.digest) {
      throw refusal('approval_of_another', 'it is of another draft than the one that waits');
    }
  }

  #secondsToWait(closesAt: string): number {
    const now = toMicros(this.#lookedAt ?? closesAt);
    const left = Number((toMicros(closesAt) - now) / 1_000_000n) + 1;
    return left > 0 ? Math.min(left, this.#lookSeconds) : this.#waitSeconds;
  }
}

/** Those who are told live on by themselves. */
async function deliver({ deliveries }: ClosedStatement): Promise<void> {
  for (const delivery_id of deliveries) {
    const state: DeliverWebhookState = { delivery_id };
    try {
      await startChild('deliverWebhook', {
        workflowId: webhookActorId(delivery_id),
        taskQueue: TASK_QUEUES.control,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        args: [state],
      });
    } catch (error) {
      if (!isAlreadyStarted(error)) throw error;
    }
  }
}

function refusal(code: string, why: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`Cannot approve the statement: ${why}`, code);
}

function codeOf({ cause }: ActivityFailure): string | null | undefined {
  return cause instanceof ApplicationFailure ? cause.type : null;
}

function failureSentence({ cause, message }: ActivityFailure): string {
  return (cause instanceof Error ? cause.message : message).slice(0, 500);
}
