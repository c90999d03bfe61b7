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
  /** What the choice came from, so that it can be repeated; null of a run that looked at everything. */
  seed: text('seed'),
  startedAt: instant('started_at').notNull(),
  endedAt: instant('ended_at'),
  /** What was looked at: `{windows, statements, histories, entries}`. */
  checked: jsonb('checked').notNull().default({}),
  findings: integer('findings').notNull().default(0),
});

/** A difference that an audit found. It stays open until it is explained. */
export const auditFindings = pgTable('audit_findings', {
  findingId: bigint('finding_id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
  /** SHA-256 over check, subject and detail: the same difference found again is the same finding. */
  key: bytea('key').notNull().unique(),
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
  index('audit_findings_open').on(table.findingId).where(sql`explained_at IS NULL`),
]);

/** Samples that were moved out of the database, month by month. */
export const archives = pgTable('archives', {
  /** The partition that it was. */
  name: text('name').primaryKey(),
  /** Place of the `archive` entry. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  samples: bigint('samples', { mode: 'bigint' }).notNull(),
  bytes: bigint('bytes', { mode: 'bigint' }).notNull(),
  /** SHA-256 of the archive. */
  digest: bytea('digest').notNull(),
  /** The places of its samples, `[[position, count], …]`: runs of places that follow each other. */
  places: jsonb('places').$type<[number, number][]>().notNull(),
  archivedAt: instant('archived_at').notNull(),
  /** Since when the samples are in the archive alone; null as long as the database has them. */
  droppedAt: instant('dropped_at'),
});
