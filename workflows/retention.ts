/**
 * The actor `retention`, started by a Schedule once a day: moves months of samples that are older than they
 * are kept from the database into archives, one after the other. It has no state and no messages: whatever a
 * run does not finish is due in the next one, and the Schedule is what is paused and resumed.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { ArchiveReceipt, RetentionActivities } from '../activities/archive_partition.ts';
import { ARCHIVE_OPTIONS, MAINTENANCE_OPTIONS } from '../temporal.config.ts';

const { planRetention } = proxyActivities<RetentionActivities>(MAINTENANCE_OPTIONS);
const { archivePartition, dropArchived } = proxyActivities<RetentionActivities>(ARCHIVE_OPTIONS);

export interface RetentionReceipt {
  /** Months that were archived and dropped. */
  archived: { name: string; samples: number; bytes: number; digest: string }[];
  /** Empty months that were dropped. */
  empty: string[];
  /** Months that are old enough but not sealed as a whole. */
  waiting: { name: string; reason: string }[];
}

export async function retainSamples(): Promise<RetentionReceipt> {
  const receipt: RetentionReceipt = { archived: [], empty: [], waiting: [] };
  const { due } = await planRetention();
  for (const name of due) {
    const outcome = await archivePartition({ name });
    if (outcome.status === 'waiting') {
      receipt.waiting.push({ name, reason: outcome.reason ?? '' });
      continue;
    }
    await dropArchived({ name });
    note(receipt, outcome);
  }
  return receipt;
}

function note(receipt: RetentionReceipt, outcome: ArchiveReceipt): void {
  const { name, samples, bytes, digest } = outcome;
  if (digest === null) receipt.empty.push(name);
  else receipt.archived.push({ name, samples, bytes, digest });
}
