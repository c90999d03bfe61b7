import type { Pool } from 'pg';
import { withDatabaseErrors } from './errors.ts';

/**
 * Summarises block ranges that were filled since the last time: until then a look-up by place or id reads
 * them whole. Where autovacuum runs it does the same, later.
 */
export async function summarizeNewRanges(pool: Pool): Promise<void> {
  await withDatabaseErrors('summarise the block ranges of samples', async () => {
    await pool.query(
      `SELECT brin_summarize_new_values(i.indexrelid)
       FROM pg_inherits h
       JOIN pg_index i ON i.indrelid = h.inhrelid
       JOIN pg_class c ON c.oid = i.indexrelid
       JOIN pg_am a ON a.oid = c.relam
       WHERE h.inhparent = 'samples'::regclass AND a.amname = 'brin'`,
    );
  });
}
