/**
 * The actor `maintenance`, started by a Schedule once an hour: keeps partitions ahead of time and the
 * summaries of the block-range indexes up to date. It has no state and no messages; two runs never
 * overlap, and a missed one is made up for by the next.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { StorageActivities, StorageReceipt } from '../activities/maintain_storage.ts';
import { MAINTENANCE_OPTIONS } from '../temporal.config.ts';

const { maintainStorage } = proxyActivities<StorageActivities>(MAINTENANCE_OPTIONS);

export async function maintainStorageOnce(): Promise<StorageReceipt> {
  return await maintainStorage();
}
