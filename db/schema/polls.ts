import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant } from './column_types.ts';

/** The sources in force, as `sources apply` put them: no secret is among them. */
export const pollSources = pgTable('poll_sources', {
  cloud: text('cloud').notNull(),
  name: text('name').notNull(),
  /** The source of polling.yaml as JSON. */
  spec: jsonb('spec').notNull(),
  /** SHA-256 of the spec in canonical JSON, hexadecimal. */
  digest: text('digest').notNull(),
  intervalSeconds: integer('interval_seconds').notNull(),
  groups: smallint('groups').notNull(),
  appliedAt: instant('applied_at').notNull(),
  /** What Temporal has counted of each group's Schedule: `{"0": {skipped_overlap}}`. */
  scheduleCounts: jsonb('schedule_counts').notNull().default({}),
  /** Up to here every cycle has been looked for. */
  checkedUntil: instant('checked_until').notNull(),
  removedAt: instant('removed_at'),
}, (table) => [primaryKey({ columns: [table.cloud, table.name] })]);

/** One group's share of one cycle of a source. */
export const pollCycles = pgTable('poll_cycles', {
  cycleId: bigint('cycle_id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
  cloud: text('cloud').notNull(),
  source: text('source').notNull(),
  groupNo: smallint('group_no').notNull(),
  /** Nominal time. */
  cycle: instant('cycle').notNull(),
  logId: smallint('log_id').notNull(),
  /** Null until the poller has said that it is at the end; so in a cycle that was missed. */
  startedAt: instant('started_at'),
  endedAt: instant('ended_at'),
  requests: integer('requests').notNull().default(0),
  /** What each pollster found: `[{name, discovered, listed, meters}]`. */
  pollsters: jsonb('pollsters').notNull().default([]),
  remarkCounts: jsonb('remark_counts').notNull().default({}),
  remarks: jsonb('remarks').notNull().default([]),
}, (table) => [
  unique('poll_cycles_identity').on(table.cloud, table.source, table.cycle, table.groupNo),
  index('poll_cycles_time').on(table.cycle),
]);

/** Samples of a cycle by meter, counted in the transaction that stores them. */
export const pollCoverage = pgTable('poll_coverage', {
  cycleId: bigint('cycle_id', { mode: 'bigint' }).notNull(),
  meter: text('meter').notNull(),
  received: integer('received').notNull(),
}, (table) => [primaryKey({ columns: [table.cycleId, table.meter] })]);

/** Units of a cycle by pollster, counted likewise. */
export const pollUnits = pgTable('poll_units', {
  cycleId: bigint('cycle_id', { mode: 'bigint' }).notNull(),
  pollster: text('pollster').notNull(),
  units: integer('units').notNull(),
}, (table) => [primaryKey({ columns: [table.cycleId, table.pollster] })]);

/** Readings that were expected and are not there. */
export const pollGaps = pgTable('poll_gaps', {
  /** The key of the origin that closes it, see `gapOrigin` of meters/poll_message.ts. */
  gapKey: uuid('gap_key').primaryKey(),
  cycleId: bigint('cycle_id', { mode: 'bigint' }).notNull(),
  pollster: text('pollster').notNull(),
  /** Null if it is not known which units are missing. */
  unit: text('unit'),
  units: integer('units').notNull(),
  /** Of those that are not known by name: how many there should be in all; null of a named unit. */
  ofUnits: integer('of_units'),
  /** True if other meters of the unit were stored. */
  partial: boolean('partial').notNull().default(false),
  meters: text('meters').array().notNull(),
  /** True if a meter of it is cumulative: the next reading carries the total on. */
  cumulative: boolean('cumulative').notNull(),
  reason: text('reason').notNull(),
  detail: text('detail').notNull(),
  recordedAt: instant('recorded_at').notNull(),
  /** When the readings came after all. */
  repairedAt: instant('repaired_at'),
  /** Nominal time of the next cycle in which the unit was read. */
  carriedBy: instant('carried_by'),
}, (table) => [
  index('poll_gaps_cycle').on(table.cycleId),
  index('poll_gaps_open').on(table.pollster, table.unit)
    .where(sql`repaired_at IS NULL AND carried_by IS NULL AND cumulative`),
]);
