import { sql } from 'drizzle-orm';
import { bigint, integer, pgTable, primaryKey, smallint, text } from 'drizzle-orm/pg-core';
import { instant } from './column_types.ts';

export const eventTypes = pgTable('event_types', {
  eventTypeId: integer('event_type_id').primaryKey().generatedAlwaysAsIdentity(),
  name: text('name').notNull().unique(),
});

/** What came of the notifications of each type, per log so that writers never wait for each other. */
export const eventCounts = pgTable('event_counts', {
  logId: smallint('log_id').notNull(),
  eventTypeId: integer('event_type_id').notNull(),
  matched: bigint('matched', { mode: 'bigint' }).notNull().default(sql`0`),
  unmatched: bigint('unmatched', { mode: 'bigint' }).notNull().default(sql`0`),
  withoutVolume: bigint('without_volume', { mode: 'bigint' }).notNull().default(sql`0`),
  samples: bigint('samples', { mode: 'bigint' }).notNull().default(sql`0`),
  lastSeen: instant('last_seen').notNull(),
}, (table) => [primaryKey({ columns: [table.logId, table.eventTypeId] })]);
