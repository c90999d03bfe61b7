/** Closes a period's statement: makes its document, and writes it and its entry in one transaction. */
import { type CheckpointName, type LogSizes, resolveAsOf } from '../db/as_of.ts';
import { type BillingPeriod, readBillingPeriod } from '../db/billing_periods.ts';
import { appendAsGuest } from '../db/log_guest.ts';
import { listLogs } from '../db/logs.ts';
import { wereRevisedSince } from '../db/statement_windows.ts';
import {
  getStatement,
  insertStatement,
  latestStatement,
  type StatementRow,
} from '../db/statements.ts';
import { deliveriesOf, insertDeliveries } from '../db/webhooks.ts';
import { deliveryIdOf, homeLogOf } from '../ledger/billing_identity.ts';
import { encodeEntry } from '../ledger/entry.ts';
import { parseStatement, signStatement } from '../ledger/statement_document.ts';
import { endpointsOf, type StatementEvent } from '../meters/billing_config.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { type AssembledStatement, assembleStatement } from './assemble_statement.ts';
import type { BillingDeps } from './billing_deps.ts';
import { guestSigners } from './guest_signers.ts';
import { hoursOf } from '../db/period_windows.ts';

/** A statement that is to be made. All that it depends on is named, so that a retry makes the same one. */
export interface CloseOrder {
  project_id: string;
  period: string;
  /** 0 is the statement, the others are its amendments. */
  number: number;
  /** How much is known of each log, by log id; 0 of one that had not begun. */
  sizes: number[];
  /** Canonical timestamp. */
  closed_at: string;
}

export interface Draft {
  /** SHA-256 of the document, 64 hexadecimal digits. */
  digest: string;
  lines: number;
  gaps: number;
  /** False of an amendment in which every quantity is as before: nothing is to be told. */
  is_news: boolean;
}

export interface ClosedStatement {
  number: number;
  digest: string;
  lines: number;
  gaps: number;
  event: StatementEvent;
  /** By `webhook-id`: each is told to an endpoint. */
  deliveries: string[];
  /** Windows of the period were revised since: an amendment is to be looked for. */
  is_revised: boolean;
}

/** The run of the workflow that closes. */
export interface ClosingRun {
  workflowId: string;
  runId: string;
}

/** @throws {NephoError} as {@link closeStatement} */
export async function draftStatement(
  deps: BillingDeps,
  order: CloseOrder,
  progress: () => void,
): Promise<Draft> {
  const { assembled } = await assemble(deps, order, progress);
  const { document: { lines, gaps }, digest, isNews } = assembled;
  return { digest, lines: lines.length, gaps: gaps.length, is_news: isNews };
}

/**
 * Closes a statement, or finds it closed: each number is written once, whatever was tried before.
 *
 * @param options `expected`: the digest that was approved, null if none was asked for
 * @returns null for an amendment in which no quantity would differ: nothing is written
 * @throws {NephoError} `period_unknown`, `statement_changed` if it is not what was approved,
 * `statement_out_of_turn` if the number before it is not there
 */
export async function closeStatement(
  deps: BillingDeps,
  order: CloseOrder,
  options: { expected: string | null; run: ClosingRun; progress: () => void },
): Promise<ClosedStatement | null> {
  const name = { projectId: order.project_id, period: order.period, number: order.number };
  const known = await getStatement(deps.pool, 'all', name);
  if (known !== null) return await closedOf(deps, known);
  const { period, assembled } = await assemble(deps, order, options.progress);
  if (options.expected !== null && options.expected !== assembled.digest) {
    throw new NephoError(
      'statement_changed',
      `Cannot close statement ${order.number} of '${order.period}': it is not the one that was approved, have it approved again`,
      { context: { period: order.period, number: order.number } },
    );
  }
  if (!assembled.isNews) return null;
  await write(deps, { order, period, assembled, run: options.run });
  const written = await getStatement(deps.pool, 'all', name);
  if (written === null) throw outOfTurn(order);
  return await closedOf(deps, written);
}

interface Writing {
  order: CloseOrder;
  period: BillingPeriod;
  assembled: AssembledStatement;
  run: ClosingRun;
}

async function write(deps: BillingDeps, { order, period, assembled, run }: Writing): Promise<void> {
  const { pool, signers, shards } = deps;
  const logId = homeLogOf(order.project_id, shards);
  const now = formatMillis(deps.nowMs());
  const inForce = await guestSigners(pool, logId, { signers, now });
  const { document, text, digest } = assembled;
  const signature = await signStatement(text, inForce);
  const event = eventOf(order.number);
  const endpoints = endpointsOf(await deps.billing(), { projectId: order.project_id, event });
  const entry = encodeEntry({
    kind: 'statement',
    v: 1,
    project_id: order.project_id,
    period: order.period,
    number: order.number,
    start: period.start,
    end: period.end,
    digest,
    lines: document.lines.length,
    covers: document.covers,
    workflow_id: run.workflowId,
    run_id: run.runId,
    recorded_at: now,
  });
  await appendAsGuest(pool, logId, { signers: inForce, now: () => now }, async (tx, log) => {
    const latest = await latestStatement(tx, 'all', {
      projectId: order.project_id,
      period: order.period,
    });
    // Somebody else has closed it while this one was computed.
    if (latest !== null && latest.number >= order.number) return { records: [], result: undefined };
    if ((latest?.number ?? -1) + 1 !== order.number) throw outOfTurn(order);
    await insertStatement(tx, {
      projectId: order.project_id,
      period: order.period,
      number: order.number,
      start: period.start,
      end: period.end,
      zone: period.zone,
      digest,
      lines: document.lines.length,
      closedAt: order.closed_at,
      position: log.position,
      workflowId: run.workflowId,
      runId: run.runId,
      document: text,
      signature,
    }, document.lines);
    const name = { projectId: order.project_id, period: order.period, number: order.number };
    await insertDeliveries(
      tx,
      { ...name, event, createdAt: now },
      endpoints.map(({ name: endpoint }) => ({
        endpoint,
        deliveryId: deliveryIdOf({ ...name, endpoint }),
      })),
    );
    return { records: [{ kind: 'statement', entry }], result: undefined };
  });
}

async function assemble(
  deps: BillingDeps,
  order: CloseOrder,
  progress: () => void,
): Promise<{ period: BillingPeriod; assembled: AssembledStatement }> {
  const period = await readBillingPeriod(deps.pool, order.project_id, order.period);
  if (period === null) {
    throw new NephoError(
      'period_unknown',
      `Cannot close period '${order.period}': it was not opened for this project`,
      { context: { period: order.period } },
    );
  }
  const former = order.number === 0 ? null : await getStatement(deps.pool, 'all', {
    projectId: order.project_id,
    period: order.period,
    number: order.number - 1,
  });
  if (order.number > 0 && former === null) throw outOfTurn(order);
  const sizes = await sizesOf(deps, order.sizes);
  const assembled = await assembleStatement({ pool: deps.pool, rules: await deps.rules() }, {
    period,
    number: order.number,
    former: former?.document ?? null,
    sizes,
    closedAt: order.closed_at,
  }, progress);
  return { period, assembled };
}

async function sizesOf({ pool }: BillingDeps, sizes: readonly number[]): Promise<LogSizes> {
  const checkpoints = (await listLogs(pool)).flatMap(({ logId, origin }): CheckpointName[] => {
    const size = sizes[logId] ?? 0;
    return size === 0 ? [] : [{ origin, size }];
  });
  return await resolveAsOf(pool, { checkpoints });
}

/** What there is to say of a closed statement, whoever closed it. */
async function closedOf(deps: BillingDeps, statement: StatementRow): Promise<ClosedStatement> {
  const { projectId, number, digest, lines } = statement;
  const document = parseStatement(statement.document);
  const sizes = await resolveAsOf(deps.pool, { checkpoints: document.covers });
  const deliveries = await deliveriesOf(deps.pool, statement);
  return {
    number,
    digest,
    lines,
    gaps: document.gaps.length,
    event: eventOf(number),
    deliveries: deliveries.map(({ deliveryId }) => deliveryId),
    is_revised: await wereRevisedSince(deps.pool, projectId, { ...hoursOf(statement), sizes }),
  };
}

function eventOf(number: number): StatementEvent {
  return number === 0 ? 'statement.final' : 'statement.amended';
}

function outOfTurn({ period, number }: CloseOrder): NephoError {
  return new NephoError(
    'statement_out_of_turn',
    `Cannot close statement ${number} of '${period}': the number before it is not there`,
    { context: { period, number } },
  );
}
