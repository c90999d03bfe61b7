import { bigint, index, integer, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import { instant } from './column_types.ts';

/**
 * One row per notification (or poll) that was understood, whatever came of it. The unique key is what
 * makes a sample count once: no sample is written without its origin's row in the same transaction.
 */
export const origins = pgTable('origins', {
  /** `log_id * 2^40` + running number within the log (`logs.origins_count`). */
  originId: bigint('origin_id', { mode: 'bigint' }).primaryKey(),
  /** First 16 bytes of SHA-256 over the JSON of `[source, origin]`. */
  key: uuid('key').notNull().unique(),
  source: text('source').notNull(),
  origin: text('origin').notNull(),
  eventTypeId: integer('event_type_id'),
  /** 8 bytes of the content digest: the same key with other content is a conflict. */
  content: bigint('content', { mode: 'bigint' }).notNull(),
  /** 1 samples, 2 unmatched, 3 without volume. */
  outcome: smallint('outcome').notNull(),
  samples: integer('samples').notNull(),
  firstPosition: bigint('first_position', { mode: 'bigint' }),
  redelivered: integer('redelivered').notNull().default(0),
  receivedAt: instant('received_at').notNull(),
}, (table) => [index('origins_received_at').using('brin', table.receivedAt)]);
