import { bigint, index, integer, numeric, pgTable, smallint, uuid } from 'drizzle-orm/pg-core';
import { instant } from './column_types.ts';

/**
 * The samples, partitioned by month of `ts`. Without a primary key, on purpose: see
 * docs/adr/0001-sample-identity-without-a-primary-key.md. The migration adds what Drizzle cannot say:
 * `PARTITION BY RANGE (ts)` and the parameters of the operator classes.
 */
export const samples = pgTable('samples', {
  /** `log_id * 2^40` + leaf index: unique over all logs. */
  position: bigint('position', { mode: 'bigint' }).notNull(),
  ts: instant('ts').notNull(),
  originId: bigint('origin_id', { mode: 'bigint' }).notNull(),
  id: uuid('id').notNull(),
  seriesId: integer('series_id').notNull(),
  metadataId: integer('metadata_id').notNull(),
  /** Among the samples of the same meter and resource in one notification; null means 0. */
  ordinal: smallint('ordinal'),
  volume: numeric('volume').notNull(),
}, (table) => [
  // Not with `ts`: equal keys share one entry, which makes it 7 bytes a sample instead of 40. A span of
  // time within a series comes from both this index and the BRIN of `ts`.
  index('samples_series').on(table.seriesId),
  index('samples_ts').using('brin', table.ts.op('timestamptz_minmax_multi_ops')),
  index('samples_position').using('brin', table.position.op('int8_minmax_multi_ops')),
  index('samples_id').using('brin', table.id.op('uuid_bloom_ops')),
]);
