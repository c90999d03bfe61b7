import type { Pool } from 'pg';
import { summarizeNewRanges } from '../db/maintenance.ts';
import { ensurePartitions, partitionSpan } from '../db/partitions.ts';
import { formatMillis } from '../meters/timestamp.ts';

export interface StorageReceipt {
  /** Names of the partitions that were made. */
  partitions_made: string[];
}

export interface StorageActivities {
  /** Makes missing partitions and summarises new block ranges. Idempotent. */
  maintainStorage(): Promise<StorageReceipt>;
}

export function createStorageActivities(
  deps: { pool: Pool; nowMs: () => number },
): StorageActivities {
  return {
    maintainStorage: async () => {
      const made = await ensurePartitions(
        deps.pool,
        partitionSpan(formatMillis(deps.nowMs())),
      );
      await summarizeNewRanges(deps.pool);
      return { partitions_made: made.map((partition) => partition.name) };
    },
  };
}
