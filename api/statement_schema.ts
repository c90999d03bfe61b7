import { z } from 'zod';
import type { StatementHead } from '../db/statements.ts';
import { DELIVERY_STATUSES } from '../db/webhooks.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { STATEMENT_EVENTS } from '../meters/billing_config.ts';
import { countOutput, idInput, meterTypeOutput, timeOutput } from './wire_schema.ts';

/** The name of a period, as `2026-10`. */
export const periodInput = z.string().regex(/^[0-9A-Za-z:-]{1,40}$/, 'It is no name of a period');

/** Without `project_id` that of the key; an operator names it. */
export const periodNameInput = { project_id: idInput.optional(), period: periodInput };

export const statementNameInput = {
  ...periodNameInput,
  /** 0 is the statement, the others are its amendments. */
  number: z.int().min(0).max(1_000_000),
};

export const statementHeadOutput = z.object({
  project_id: z.string(),
  period: z.string(),
  number: countOutput,
  start: timeOutput,
  end: timeOutput,
  /** IANA zone of the period. */
  zone: z.string(),
  /** SHA-256 of the document, 64 hexadecimal digits. */
  digest: z.string(),
  lines: countOutput,
  closed_at: timeOutput,
  /** Where its entry is. */
  log: z.object({ log_id: countOutput, leaf_index: countOutput }),
  /** The run of the workflow that closed it. */
  workflow_id: z.string(),
  run_id: z.string(),
});

export function wireStatementHead(row: StatementHead): z.output<typeof statementHeadOutput> {
  return {
    project_id: row.projectId,
    period: row.period,
    number: row.number,
    start: row.start,
    end: row.end,
    zone: row.zone,
    digest: row.digest,
    lines: row.lines,
    closed_at: row.closedAt,
    log: { log_id: logOfPosition(row.position), leaf_index: leafOfPosition(row.position) },
    workflow_id: row.workflowId,
    run_id: row.runId,
  };
}

export const lineOutput = z.object({
  meter: z.string(),
  type: meterTypeOutput,
  unit: z.string(),
  /** Null of a line that sums several resources. */
  resource_id: z.string().nullable(),
  group: z.record(z.string(), z.string()).nullable(),
  usage_unit: z.string(),
  quantity: z.string(),
  unit_seconds: z.string().nullable(),
  samples: countOutput,
  covered: z.string().nullable(),
  windows: z.object({
    count: countOutput,
    root: z.string(),
    first: timeOutput.nullable(),
    last: timeOutput.nullable(),
  }),
  flags: z.array(z.string()),
  difference: z.string().nullable(),
});

const totalOutput = z.object({ meter: z.string(), usage_unit: z.string(), quantity: z.string() });

/** The document: in canonical JSON it is what the digest is of. See docs/statements.md. */
export const statementOutput = z.object({
  kind: z.literal('statement'),
  v: z.literal(1),
  project_id: z.string(),
  period: z.string(),
  number: countOutput,
  amends: z.object({ number: countOutput, digest: z.string() }).nullable(),
  start: timeOutput,
  end: timeOutput,
  zone: z.string(),
  closed_at: timeOutput,
  covers: z.array(z.object({ origin: z.string(), size: countOutput })),
  lines: z.array(lineOutput),
  totals: z.array(totalOutput),
  gaps: z.array(z.object({
    meter: z.string(),
    resource_id: z.string().nullable(),
    from: timeOutput,
    to: timeOutput,
    reason: z.string(),
  })),
});

export const periodTotalsOutput = z.object({
  project_id: z.string(),
  period: z.string(),
  start: timeOutput,
  end: timeOutput,
  zone: z.string(),
  /** Until when it is counted: the present, until the period ends. */
  until: timeOutput,
  /** Every hour before this is sealed; null if there is a log without any. */
  sealed_until: timeOutput.nullable(),
  contains_unsealed: z.boolean(),
  totals: z.array(totalOutput.extend({ type: meterTypeOutput })),
  /** Meters that are not among them, because there are too many. */
  left_out: countOutput,
});

export const periodActorOutput = z.object({
  actor_id: z.string(),
  /** Temporal's word, `ABSENT` if it never ran. */
  workflow_status: z.string(),
  /** Null if no worker answers, or it has ended. */
  mode: z.enum(['open', 'closing', 'awaiting_approval', 'rejected', 'halted']).nullable(),
  paused: z.string().nullable(),
  reason: z.string().nullable(),
  draft: z.object({
    number: countOutput,
    digest: z.string(),
    lines: countOutput,
    gaps: countOutput,
  }).nullable(),
  closes_at: timeOutput.nullable(),
  /** Every hour of the period is sealed. */
  sealed: z.boolean().nullable(),
  looked_at: timeOutput.nullable(),
});

export const deliveryOutput = z.object({
  /** The `webhook-id`. */
  delivery_id: z.string(),
  endpoint: z.string(),
  event: z.enum(STATEMENT_EVENTS),
  status: z.enum(DELIVERY_STATUSES),
  created_at: timeOutput,
  ended_at: timeOutput.nullable(),
  /** The last ones, the newest first. */
  attempts: z.array(z.object({
    attempt: countOutput,
    started_at: timeOutput,
    milliseconds: countOutput,
    status_code: countOutput.nullable(),
    /** Stable code of what went wrong; null if it was taken. */
    failure: z.string().nullable(),
    /** What the endpoint said; for operators. */
    detail: z.string().nullable(),
  })),
});
