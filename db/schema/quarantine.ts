import { bigint, index, integer, pgTable, smallint, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** What could not be understood, byte by byte, with the reason and where it is in the message. */
export const quarantine = pgTable('quarantine', {
  quarantineId: bigint('quarantine_id', { mode: 'bigint' }).primaryKey()
    .generatedAlwaysAsIdentity(),
  /** SHA-256 of `bytes`: a redelivery raises `attempts` instead of adding a row. */
  digest: bytea('digest').notNull().unique(),
  logId: smallint('log_id').notNull(),
  reason: text('reason').notNull(),
  place: text('place'),
  detail: text('detail'),
  eventType: text('event_type'),
  origin: text('origin'),
  bytes: bytea('bytes').notNull(),
  via: text('via'),
  streamSequence: bigint('stream_sequence', { mode: 'bigint' }),
  receivedAt: instant('received_at').notNull(),
  attempts: integer('attempts').notNull().default(1),
  status: text('status').notNull().default('open'),
  decidedAt: instant('decided_at'),
  decidedBy: text('decided_by'),
  note: text('note'),
}, (table) => [
  index('quarantine_status').on(table.status, table.quarantineId),
  index('quarantine_origin').using('hash', table.origin),
]);
