import { sql } from 'drizzle-orm';
import { bigint, index, pgTable, primaryKey, smallint, text } from 'drizzle-orm/pg-core';
import { instant } from './column_types.ts';

/**
 * The periods that a project's usage is billed by, as they were agreed when the first usage in them was
 * sealed: what billing.yaml says later is for later periods. Those of a project never overlap.
 */
export const billingPeriods = pgTable('billing_periods', {
  projectId: text('project_id').notNull(),
  /** The period's name, `2026-10`: see meters/billing_period.ts. */
  period: text('period').notNull(),
  start: instant('start').notNull(),
  end: instant('end').notNull(),
  zone: text('zone').notNull(),
  /** What a line is about: `resource` or `meter`. */
  groupBy: text('group_by').notNull(),
  /** Patterns of the meters that have lines. */
  meters: text('meters').array().notNull(),
  openedAt: instant('opened_at').notNull(),
  /** What its actor is to be told: `open` to begin, `amend` that windows were revised; null of nothing. */
  wanted: text('wanted'),
}, (table) => [
  primaryKey({ columns: [table.projectId, table.period] }),
  index('billing_periods_start').on(table.projectId, table.start),
  index('billing_periods_end').on(table.end),
  index('billing_periods_wanted').on(table.projectId, table.period)
    .where(sql`wanted IS NOT NULL`),
]);

/** How far each log's seals and revisions were looked through for periods that they concern. */
export const billingMarks = pgTable('billing_marks', {
  logId: smallint('log_id').primaryKey(),
  scannedTo: bigint('scanned_to', { mode: 'bigint' }).notNull(),
});
