import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** The recorded histories of the runs that sealed or closed something: they outlive Temporal's retention. */
export const workflowHistories = pgTable('workflow_histories', {
  runId: text('run_id').primaryKey(),
  workflowId: text('workflow_id').notNull(),
  workflowType: text('workflow_type').notNull(),
  events: integer('events').notNull(),
  /** SHA-256 of the history as JSON, before compression. */
  digest: bytea('digest').notNull(),
  /** The JSON, compressed by gzip. */
  compressed: bytea('compressed').notNull(),
  /** Place of the `history` entry. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  exportedAt: instant('exported_at').notNull(),
}, (table) => [index('workflow_histories_workflow').on(table.workflowId)]);

export const auditRuns = pgTable('audit_runs', {
  auditRunId: bigint('audit_run_id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
  startedAt: instant('started_at').notNull(),
  endedAt: instant('ended_at'),
  /** What was looked at: `{windows, statements, histories, entries}`. */
  checked: jsonb('checked').notNull().default({}),
  findings: integer('findings').notNull().default(0),
});

/** A difference that an audit found. It stays open until it is explained. */
export const auditFindings = pgTable('audit_findings', {
  findingId: bigint('finding_id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
  /** Stable code of the check that failed. */
  check: text('check').notNull(),
  /** What it is about, as text: `window 2026-10-01T00:00:00.000000Z of <series key>`. */
  subject: text('subject').notNull(),
  detail: text('detail').notNull(),
  foundAt: instant('found_at').notNull(),
  lastSeenAt: instant('last_seen_at').notNull(),
  explainedAt: instant('explained_at'),
  explainedBy: text('explained_by'),
  explanation: text('explanation'),
}, (table) => [
  // The same difference found again is the same finding.
  index('audit_findings_open').on(table.check, table.subject).where(sql`explained_at IS NULL`),
]);

/** Samples that were moved out of the database, month by month. */
export const archives = pgTable('archives', {
  /** The partition that it was. */
  name: text('name').primaryKey(),
  samples: bigint('samples', { mode: 'bigint' }).notNull(),
  bytes: bigint('bytes', { mode: 'bigint' }).notNull(),
  /** SHA-256 of the archive. */
  digest: bytea('digest').notNull(),
  /** Spans of places in the logs, as the archive holds them. */
  places: jsonb('places').notNull(),
  archivedAt: instant('archived_at').notNull(),
  droppedAt: instant('dropped_at'),
});
