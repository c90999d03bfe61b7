import type { Pool } from 'pg';
import { migrate, type MigrationReport } from '../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../db/partitions.ts';
import { formatMillis } from '../meters/timestamp.ts';

export interface StorageReport extends MigrationReport {
  /** Monthly partitions that were made. */
  partitions: number;
}

/**
 * Brings the database to the schema of this program and gives it the partitions for what may come, so
 * that a worker can begin at once. Idempotent; several may do it at the same time.
 *
 * @param nowMs milliseconds since 1970
 * @throws {NephoError} the codes of `migrate` and `ensurePartitions`
 */
export async function prepareStorage(pool: Pool, nowMs: number): Promise<StorageReport> {
  const report = await migrate(pool);
  const made = await ensurePartitions(pool, partitionSpan(formatMillis(nowMs)));
  return { ...report, partitions: made.length };
}
