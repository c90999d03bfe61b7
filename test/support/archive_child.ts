/**
 * Archives and drops a month in a process of its own, which ends itself by SIGKILL before its n-th statement.
 * Its plan is its only argument, JSON.
 */
import process from 'node:process';
import { archivePartition, dropArchived } from '../../activities/archive_partition.ts';
import { createDatabase } from '../../db/client.ts';
import { ArchiveDirectory } from '../../ledger/archive_directory.ts';
import { NOW_MS, OLD_MONTH } from './archive_world.ts';
import { beforeStatement } from './counted_statements.ts';
import { testSigner } from './test_signer.ts';

export interface ArchiveChildPlan {
  databaseUrl: string;
  folder: string;
  /** Number of the statement, from 1. */
  killAt: number;
}

const plan = JSON.parse(process.argv[2] ?? '') as ArchiveChildPlan;
const db = createDatabase(plan.databaseUrl, { poolSize: 2 });
const pool = beforeStatement(db.pool, (number) => {
  if (number !== plan.killAt) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal may take a moment to arrive, in which nothing more may happen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
});
const deps = {
  pool,
  archives: new ArchiveDirectory(plan.folder),
  signers: [testSigner()],
  retentionDays: 400,
  nowMs: () => NOW_MS,
};
await archivePartition(deps, OLD_MONTH);
await dropArchived(deps, OLD_MONTH);
await db.close();
