import type { Pool } from 'pg';
import { withDatabaseErrors } from './errors.ts';
import { listPartitions } from './partitions.ts';

/**
 * Summarises the block ranges that were filled since the last call in the BRIN indexes of `samples`.
 * Ranges without a summary are read whole by every query. Where autovacuum runs it does this too, but
 * PGlite has none. Idempotent, and harmless beside writers.
 *
 * @returns the ranges summarised
 */
export async function summarizeNewRanges(pool: Pool): Promise<number> {
  return await withDatabaseErrors('summarise new block ranges', async () => {
    const { rows } = await pool.query<{ index: string }>(`
      SELECT i.indexrelid::regclass::text AS index
      FROM pg_inherits h JOIN pg_index i ON i.indrelid = h.inhrelid
      JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
      WHERE h.inhparent = 'samples'::regclass AND a.amname = 'brin'
        AND pg_relation_size(h.inhrelid) > 0`);
    let summarised = 0;
    // One statement each: a statement's locks would otherwise be held for all.
    for (const { index } of rows) {
      const result = await pool.query<{ ranges: number }>(
        'SELECT brin_summarize_new_values($1::regclass) AS ranges',
        [index],
      );
      summarised += result.rows[0]?.ranges ?? 0;
    }
    return summarised;
  });
}

/**
 * Brings the planner's statistics up to date: of all small tables, and of the partitions that hold
 * rows. For PGlite, and after loading much at once; elsewhere autovacuum does it.
 */
export async function analyze(pool: Pool): Promise<void> {
  await withDatabaseErrors('analyse the tables', async () => {
    const partitions = await listPartitions(pool);
    const tables = ['series', 'metadata', 'origins', 'batches', 'records', 'checkpoints', 'tiles'];
    for (const table of [...tables, ...partitions.map((partition) => partition.name)]) {
      await pool.query(`ANALYZE ${table}`);
    }
  });
}
