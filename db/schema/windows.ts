import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  numeric,
  pgTable,
  primaryKey,
  smallint,
  text,
} from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** What a span of time came to, of one series: the columns of meters/window_figures.ts. */
function figures() {
  return {
    count: integer('count').notNull(),
    sum: numeric('sum').notNull(),
    sumSquares: numeric('sum_squares').notNull(),
    min: numeric('min'),
    max: numeric('max'),
    firstAt: instant('first_at'),
    firstVolume: numeric('first_volume'),
    lastAt: instant('last_at'),
    lastVolume: numeric('last_volume'),
    /** Of a cumulative meter; 0 of the others, as are `resets` and `steps_back`. */
    increase: numeric('increase').notNull(),
    resets: integer('resets').notNull(),
    stepsBack: integer('steps_back').notNull(),
    /** Of a gauge, in unit seconds; 0 of the others, as is `covered`. */
    integral: numeric('integral').notNull(),
    /** Seconds. */
    covered: numeric('covered').notNull(),
    /** A gauge's value ran out within the span: nobody said that the thing ended. */
    expired: boolean('expired').notNull(),
    /** The last reading said that the thing ended. */
    ended: boolean('ended').notNull(),
  };
}

/**
 * The sealed windows: one row for each series, hour and revision, never changed once written. The one in
 * force is that of the greatest revision. Revision 0 was sealed, the others came by late data.
 */
export const windows = pgTable('windows', {
  seriesId: integer('series_id').notNull(),
  /** First instant of the hour. */
  start: instant('start').notNull(),
  revision: integer('revision').notNull(),
  /** Place of the `seal` or `revision` entry that vouches for the row: `log_id * 2^40` + leaf. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  /** Leaf index in the seal's tree, or index in the revision's list of changes. */
  place: integer('place').notNull(),
  ...figures(),
  /** The reading before the window that it goes on from; null if there is none. */
  carryAt: instant('carry_at'),
  carryVolume: numeric('carry_volume'),
  carryEnded: boolean('carry_ended'),
}, (table) => [
  primaryKey({ columns: [table.seriesId, table.start, table.revision] }),
  index('windows_start').on(table.start, table.seriesId),
  index('windows_position').using('brin', table.position),
  // The few that replaced others: what is not among them is in force as it was sealed.
  index('windows_revised').on(table.start, table.seriesId).where(sql`revision > 0`),
]);

/** Whole UTC days and months out of sealed hours, so that a month does not cost 720 rows a series. */
export const windowRollups = pgTable('window_rollups', {
  seriesId: integer('series_id').notNull(),
  /** 1 day, 2 month. */
  span: smallint('span').notNull(),
  start: instant('start').notNull(),
  revision: integer('revision').notNull(),
  /** Place of the entry by which the last of its hours came to be as it is. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  ...figures(),
}, (table) => [
  primaryKey({ columns: [table.seriesId, table.span, table.start, table.revision] }),
  index('window_rollups_start').on(table.span, table.start, table.seriesId),
  index('window_rollups_revised').on(table.span, table.start, table.seriesId)
    .where(sql`revision > 0`),
]);

/** How far each log's windows are closed. */
export const windowKeepers = pgTable('window_keepers', {
  logId: smallint('log_id').primaryKey(),
  /** First instant of the first hour that was sealed. */
  sealedFrom: instant('sealed_from').notNull(),
  /** Every hour before this one is sealed. */
  sealedUntil: instant('sealed_until').notNull(),
  /** Leaves before this one were looked at for late samples. */
  scannedTo: bigint('scanned_to', { mode: 'bigint' }).notNull(),
});

/** One row for each hour of each log, also if nothing happened in it. */
export const seals = pgTable('seals', {
  logId: smallint('log_id').notNull(),
  start: instant('start').notNull(),
  /** Place of the `seal` entry. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  rows: integer('rows').notNull(),
  /** RFC 6962 root over the rows' canonical texts, ordered by series key. */
  root: bytea('root').notNull(),
  /** The log's size that the figures were computed at: samples at later leaves are late. */
  coversTo: bigint('covers_to', { mode: 'bigint' }).notNull(),
  /** What was expected and is missing, whole; the entry holds its digest. Canonical JSON. */
  coverage: text('coverage').notNull(),
  sealedAt: instant('sealed_at').notNull(),
  workflowId: text('workflow_id').notNull(),
  runId: text('run_id').notNull(),
}, (table) => [
  primaryKey({ columns: [table.logId, table.start] }),
  index('seals_position').on(table.position),
]);

/** One row for each `revision` entry. */
export const revisions = pgTable('revisions', {
  /** Place of the entry. */
  position: bigint('position', { mode: 'bigint' }).primaryKey(),
  logId: smallint('log_id').notNull(),
  /** Windows that it changes. */
  changes: integer('changes').notNull(),
  coversFrom: bigint('covers_from', { mode: 'bigint' }).notNull(),
  coversTo: bigint('covers_to', { mode: 'bigint' }).notNull(),
  revisedAt: instant('revised_at').notNull(),
  workflowId: text('workflow_id').notNull(),
  runId: text('run_id').notNull(),
});

/** Each set of usage rules that windows were ever computed by, whole. */
export const usageRuleSets = pgTable('usage_rule_sets', {
  usageRuleSetId: integer('usage_rule_set_id').primaryKey().generatedAlwaysAsIdentity(),
  /** SHA-256 of `rules`. */
  digest: bytea('digest').notNull().unique(),
  /** Canonical JSON. */
  rules: text('rules').notNull(),
  firstSeen: instant('first_seen').notNull(),
});
