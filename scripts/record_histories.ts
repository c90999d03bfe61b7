/**
 * Records histories of the workflows on a real Temporal, for test/replay/. Histories are added, never
 * changed: each names the workflow, the version that recorded it and the case.
 *
 *   node --import tsx scripts/record_histories.ts 0.1.0 [ingest|polling|windows|billing]
 */
import process from 'node:process';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection } from '@temporalio/worker';
import type { IngestActivities, IngestLegInput } from '../activities/ingest_leg.ts';
import type { LegReceipt } from '../activities/leg_receipt.ts';
import { TASK_QUEUES } from '../temporal.config.ts';
import { save, startWorkers } from './history_recorder.ts';
import { recordAudits } from './record_audit_histories.ts';
import { recordBilling } from './record_billing_histories.ts';
import { recordPolling } from './record_poll_histories.ts';
import { recordWindows } from './record_window_histories.ts';
import { startTemporal } from '../test/support/temporal_server.ts';
import {
  drainSignal,
  type IngestShardState,
  type IngestStatus,
  pauseSignal,
  resumeSignal,
  statusQuery,
} from '../workflows/ingest_shard.ts';

/** What a leg does, by its number from 1: these activities are ours, so that a history is the same again. */
type Leg = (input: IngestLegInput, number: number) => Promise<LegReceipt>;

interface Recording {
  name: string;
  leg: Leg;
  input: IngestShardState;
  /** Drives the actor, and returns when its history holds the case. */
  drive: (handle: WorkflowHandle) => Promise<void>;
}

const RECORDINGS: readonly Recording[] = [
  {
    name: 'continued_as_new',
    leg: receipt,
    input: { shard: 0, leg_seconds: 1, legs_per_run: 3 },
    drive: (handle) => until(handle, ({ totals }) => totals.legs >= 4),
  },
  {
    name: 'paused_and_resumed',
    leg: receipt,
    input: { shard: 0, leg_seconds: 1, legs_per_run: 3 },
    drive: async (handle) => {
      await until(handle, ({ totals }) => totals.legs >= 1);
      await handle.signal(pauseSignal, 'maintenance');
      await until(handle, ({ mode, leg_running }) => mode === 'paused' && !leg_running);
      await handle.signal(resumeSignal);
      await until(handle, ({ totals }) => totals.legs >= 4);
    },
  },
  {
    name: 'drained',
    leg: receipt,
    input: { shard: 0, leg_seconds: 1, legs_per_run: 4 },
    drive: async (handle) => {
      await until(handle, ({ totals }) => totals.legs >= 1);
      await handle.signal(drainSignal);
      await until(handle, ({ reason }) => reason === 'drained');
      await handle.signal(resumeSignal);
      await until(handle, ({ totals }) => totals.legs >= 5);
    },
  },
  {
    name: 'halted_and_resumed',
    leg: (input, number) => number === 2 ? Promise.reject(damaged()) : receipt(input, number),
    input: { shard: 0, leg_seconds: 1, legs_per_run: 4 },
    drive: async (handle) => {
      await until(handle, ({ mode }) => mode === 'halted');
      await handle.signal(resumeSignal);
      await until(handle, ({ totals }) => totals.legs >= 4);
    },
  },
  {
    name: 'retried',
    leg: (input, number) =>
      number === 2 ? Promise.reject(new Error('a connection broke')) : receipt(input, number),
    input: { shard: 0, leg_seconds: 1, legs_per_run: 3 },
    drive: (handle) => until(handle, ({ totals }) => totals.legs >= 4),
  },
];

async function main(version: string, part: string | undefined): Promise<void> {
  const temporal = await startTemporal();
  const native = await NativeConnection.connect({ address: temporal.address });
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  try {
    const wants = (name: string): boolean => part === undefined || part === name;
    if (wants('ingest')) {
      for (const recording of RECORDINGS) {
        await record(client, native, recording, `ingest_shard_${version}_${recording.name}`);
      }
      await recordMaintenance(client, native, `maintain_storage_${version}_plain`);
    }
    if (wants('polling')) await recordPolling(client, native, version);
    if (wants('windows')) await recordWindows(client, native, version);
    if (wants('billing')) await recordBilling(client, native, version);
    if (wants('audits')) await recordAudits(client, native, version);
  } finally {
    await connection.close();
    await native.close();
    await temporal.stop();
  }
}

async function record(
  client: Client,
  native: NativeConnection,
  recording: Recording,
  name: string,
): Promise<void> {
  let legs = 0;
  const activities: IngestActivities = {
    ingestLeg: (input) => recording.leg(input, legs += 1),
  };
  const workers = await startWorkers(native, { ...activities });
  const started = await client.workflow.start('ingestShard', {
    workflowId: name,
    taskQueue: TASK_QUEUES.control,
    args: [recording.input],
  });
  // The first run is the one to keep: it ends by continuing as new.
  const firstRun = client.workflow.getHandle(name, started.firstExecutionRunId);
  await recording.drive(client.workflow.getHandle(name));
  await save(firstRun, name);
  await client.workflow.getHandle(name).terminate('recorded');
  await workers.stop();
}

async function recordMaintenance(
  client: Client,
  native: NativeConnection,
  name: string,
): Promise<void> {
  const workers = await startWorkers(native, {
    maintainStorage: () => Promise.resolve({ partitions_made: ['samples_2026_12'] }),
  });
  const handle = await client.workflow.start('maintainStorageOnce', {
    workflowId: name,
    taskQueue: TASK_QUEUES.control,
  });
  await handle.result();
  await save(handle, name);
  await workers.stop();
}

async function until(
  handle: WorkflowHandle,
  holds: (status: IngestStatus) => boolean,
): Promise<void> {
  while (!holds(await handle.query(statusQuery))) { /* asked again */ }
}

function receipt(input: IngestLegInput, number: number): Promise<LegReceipt> {
  return new Promise((resolve) => setTimeout(resolve, 50)).then(() => ({
    shard: input.shard,
    epoch: String(number),
    batches: 2,
    messages: 1_500,
    samples: 6_000,
    duplicates: 3,
    unmatched: 20,
    without_volume: 1,
    quarantined: 1,
    conflicts: 0,
    first_leaf: 6_000 * (number - 1),
    size: 6_000 * number,
    root: '00'.repeat(32),
    definitions: '11'.repeat(32),
    definitions_fault: null,
    pending: 0,
    drained: input.drain,
    started_at: '2026-11-22T08:00:00.000000Z',
    ended_at: '2026-11-22T08:01:00.000000Z',
  }));
}

function damaged(): ApplicationFailure {
  return ApplicationFailure.create({
    message: "Cannot write to log 0: its root is not its frontier's",
    type: 'log_damaged',
    nonRetryable: true,
  });
}

await main(process.argv[2] ?? '0.1.0', process.argv[3]);
