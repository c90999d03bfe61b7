/** Histories of the auditor and of retention, see record_histories.ts. */
import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { RetentionActivities } from '../activities/archive_partition.ts';
import type { AuditActivities } from '../activities/audit_run.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import type { AuditState } from '../workflows/auditor.ts';
import { save, startWorkers } from './history_recorder.ts';

export async function recordAudits(
  client: Client,
  native: NativeConnection,
  version: string,
): Promise<void> {
  await recordAudit(client, native, `auditor_${version}_plain`, {});
  // The first run is the one to keep: it ends by continuing as new.
  await recordAudit(client, native, `auditor_${version}_continued_as_new`, { parts_per_run: 2 });
  await recordRetention(client, native, `retention_${version}_archived`);
}

async function recordAudit(
  client: Client,
  native: NativeConnection,
  name: string,
  input: AuditState,
): Promise<void> {
  const activities: AuditActivities = {
    planAudit: () =>
      Promise.resolve({
        audit_run_id: 7,
        seed: '5e'.repeat(16),
        until: '2026-11-22T02:30:00.000000Z',
        sizes: { hours: 2, statements: 1, histories: 1 },
      }),
    auditPart: ({ part }) => Promise.resolve({ findings: part === 'statements' ? 1 : 0 }),
    endAudit: () => Promise.resolve(),
  };
  const workers = await startWorkers(native, { ...activities });
  const started = await client.workflow.start('auditOnce', {
    workflowId: name,
    taskQueue: TASK_QUEUES.control,
    args: [input],
  });
  await started.result();
  await save(client.workflow.getHandle(name, started.firstExecutionRunId), name);
  await workers.stop();
}

async function recordRetention(
  client: Client,
  native: NativeConnection,
  name: string,
): Promise<void> {
  const activities: RetentionActivities = {
    planRetention: () =>
      Promise.resolve({ due: ['samples_2025_07', 'samples_2025_08', 'samples_2025_09'] }),
    archivePartition: (input) => {
      const common = { name: input.name, reason: null, samples: 0, bytes: 0, digest: null };
      if (input.name === 'samples_2025_07') return Promise.resolve({ ...common, status: 'empty' });
      if (input.name === 'samples_2025_09') {
        const reason = 'log 1 is not sealed up to 2025-10-01T00:00:00.000000Z';
        return Promise.resolve({ ...common, status: 'waiting', reason });
      }
      const figures = { samples: 2_880_000, bytes: 14_400_000, digest: 'a0'.repeat(32) };
      return Promise.resolve({ ...common, ...figures, status: 'archived' });
    },
    dropArchived: (input) => Promise.resolve({ name: input.name, dropped: true }),
  };
  const workers = await startWorkers(native, { ...activities });
  const handle = await client.workflow.start('retainSamples', {
    workflowId: name,
    taskQueue: TASK_QUEUES.control,
  });
  await handle.result();
  await save(handle, name);
  await workers.stop();
}
