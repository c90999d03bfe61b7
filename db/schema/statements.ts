import { bigint, index, integer, pgTable, primaryKey, smallint, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** What a project's period came to: number 0 is the statement, the others are its amendments. */
export const statements = pgTable('statements', {
  projectId: text('project_id').notNull(),
  /** The period's name, `2026-10`: see meters/billing_period.ts. */
  period: text('period').notNull(),
  number: integer('number').notNull(),
  start: instant('start').notNull(),
  end: instant('end').notNull(),
  zone: text('zone').notNull(),
  /** Canonical JSON, see ledger/statement_document.ts. */
  document: text('document').notNull(),
  /** SHA-256 of the document. */
  digest: bytea('digest').notNull(),
  /** The signed note over its digest, see ledger/statement_document.ts. */
  signature: text('signature').notNull(),
  /** Place of the `statement` entry. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  lines: integer('lines').notNull(),
  closedAt: instant('closed_at').notNull(),
  workflowId: text('workflow_id').notNull(),
  runId: text('run_id').notNull(),
}, (table) => [
  primaryKey({ columns: [table.projectId, table.period, table.number] }),
  index('statements_position').on(table.position),
]);

/** The lines of the statements, to be found by what they are about. */
export const statementLines = pgTable('statement_lines', {
  projectId: text('project_id').notNull(),
  period: text('period').notNull(),
  number: integer('number').notNull(),
  /** From 0, in the order of the document. */
  line: integer('line').notNull(),
  meter: text('meter').notNull(),
  type: text('type').notNull(),
  unit: text('unit').notNull(),
  /** Null of a line that sums several resources. */
  resourceId: text('resource_id'),
}, (table) => [
  primaryKey({ columns: [table.projectId, table.period, table.number, table.line] }),
  index('statement_lines_resource').on(table.resourceId, table.meter),
]);

/** A message that an endpoint is to be told, until it took it or we gave up. */
export const webhookDeliveries = pgTable('webhook_deliveries', {
  /** The `webhook-id`: the same however often it is sent. */
  deliveryId: text('delivery_id').primaryKey(),
  endpoint: text('endpoint').notNull(),
  event: text('event').notNull(),
  projectId: text('project_id').notNull(),
  period: text('period').notNull(),
  number: integer('number').notNull(),
  /** `pending`, `delivered`, `failed`, `gone`. */
  status: text('status').notNull(),
  createdAt: instant('created_at').notNull(),
  endedAt: instant('ended_at'),
}, (table) => [
  index('webhook_deliveries_statement').on(table.projectId, table.period, table.number),
]);

/** Each time that it was sent. */
export const webhookAttempts = pgTable('webhook_attempts', {
  deliveryId: text('delivery_id').notNull(),
  attempt: integer('attempt').notNull(),
  startedAt: instant('started_at').notNull(),
  milliseconds: integer('milliseconds').notNull(),
  /** Of the answer; null if there was none. */
  statusCode: smallint('status_code'),
  /** Stable code of what went wrong; null if it was taken. */
  failure: text('failure'),
  detail: text('detail'),
}, (table) => [primaryKey({ columns: [table.deliveryId, table.attempt] })]);
