import { index, integer, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import { bytea } from './column_types.ts';

/** What stays the same over the samples of one meter of one resource. */
export const series = pgTable('series', {
  seriesId: integer('series_id').primaryKey().generatedAlwaysAsIdentity(),
  /** First 16 bytes of SHA-256 over the fields below. */
  key: uuid('key').notNull().unique(),
  logId: smallint('log_id').notNull(),
  meter: text('meter').notNull(),
  type: text('type').notNull(),
  unit: text('unit').notNull(),
  projectId: text('project_id'),
  userId: text('user_id'),
  resourceId: text('resource_id').notNull(),
  source: text('source').notNull(),
}, (table) => [
  index('series_resource').on(table.resourceId),
  index('series_project_meter').on(table.projectId, table.meter),
  index('series_meter').on(table.meter),
]);

/** Each distinct metadata document once, as the canonical text whose digest stands in the log. */
export const metadata = pgTable('metadata', {
  metadataId: integer('metadata_id').primaryKey().generatedAlwaysAsIdentity(),
  digest: bytea('digest').notNull().unique(),
  body: text('body').notNull(),
});
