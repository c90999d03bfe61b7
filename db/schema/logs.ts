import { sql } from 'drizzle-orm';
import { bigint, index, integer, pgTable, primaryKey, smallint, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** One log per shard: the head that the single writer locks, moves and commits with its rows. */
export const logs = pgTable('logs', {
  logId: smallint('log_id').primaryKey(),
  origin: text('origin').notNull().unique(),
  size: bigint('size', { mode: 'bigint' }).notNull().default(sql`0`),
  root: bytea('root').notNull(),
  /** The compact range: 32-byte hashes, largest subtree first. */
  frontier: bytea('frontier').notNull().default(sql`''::bytea`),
  /** Raised by each new writer; a writer of an older epoch may not append. */
  epoch: bigint('epoch', { mode: 'bigint' }).notNull().default(sql`0`),
  holder: text('holder'),
  /** Running number of the origins of this log, from which `origins.origin_id` is made. */
  originsCount: bigint('origins_count', { mode: 'bigint' }).notNull().default(sql`0`),
  updatedAt: instant('updated_at'),
});

/** Hash tiles of level >= 1. Those of level 0 are computed from the entries. */
export const tiles = pgTable('tiles', {
  logId: smallint('log_id').notNull(),
  level: smallint('level').notNull(),
  tile: bigint('tile', { mode: 'bigint' }).notNull(),
  hashes: bytea('hashes').notNull(),
}, (table) => [primaryKey({ columns: [table.logId, table.level, table.tile] })]);

export const checkpoints = pgTable('checkpoints', {
  logId: smallint('log_id').notNull(),
  size: bigint('size', { mode: 'bigint' }).notNull(),
  root: bytea('root').notNull(),
  note: text('note').notNull(),
  signedAt: instant('signed_at').notNull(),
}, (table) => [
  primaryKey({ columns: [table.logId, table.size] }),
  // What was known at an instant is what the last checkpoint before it covers.
  index('checkpoints_signed_at').on(table.logId, table.signedAt),
]);

/** Entries of the log that are not samples, as their canonical text. */
export const records = pgTable('records', {
  position: bigint('position', { mode: 'bigint' }).primaryKey(),
  kind: text('kind').notNull(),
  entry: text('entry').notNull(),
});

/**
 * One row per transaction that appended samples: what they have in common, so that a row of `samples`
 * need not carry it. A sample belongs to the batch of the greatest position <= its own.
 */
export const batches = pgTable('batches', {
  /** The first sample's place. The samples of a batch follow each other without a gap. */
  position: bigint('position', { mode: 'bigint' }).primaryKey(),
  samples: integer('samples').notNull(),
  recordedAt: instant('recorded_at').notNull(),
  definitionSetId: integer('definition_set_id').notNull(),
  epoch: bigint('epoch', { mode: 'bigint' }).notNull(),
  /** The span of `samples.ts`, both ends included: a reader of the log prunes partitions by it. */
  minTs: instant('min_ts').notNull(),
  maxTs: instant('max_ts').notNull(),
}, (table) => [
  index('batches_recorded_at').on(table.recordedAt),
  index('batches_min_ts').on(table.minTs),
  index('batches_max_ts').on(table.maxTs),
]);
