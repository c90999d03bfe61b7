/** What every recording of a history needs: workers with activities of ours, and the file. */
import { mkdir, writeFile } from 'node:fs/promises';
import process from 'node:process';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { WORKFLOWS } from '../cli/workflow_bundle.ts';
import { TASK_QUEUES } from '../temporal.config.ts';

const FOLDER = new URL('../test/replay/histories/', import.meta.url);

export async function startWorkers(
  connection: NativeConnection,
  activities: Record<string, (...args: never[]) => Promise<unknown>>,
): Promise<{ stop(): Promise<void> }> {
  const control = await Worker.create({
    connection,
    taskQueue: TASK_QUEUES.control,
    workflowsPath: WORKFLOWS,
    activities,
  });
  const others = await Promise.all(
    [TASK_QUEUES.ingest, TASK_QUEUES.poll, TASK_QUEUES.windows, TASK_QUEUES.webhooks].map((
      taskQueue,
    ) => Worker.create({ connection, taskQueue, activities })),
  );
  const workers = [control, ...others];
  const running = workers.map((worker) => worker.run());
  return {
    stop: async () => {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
    },
  };
}

export async function save(handle: WorkflowHandle, name: string): Promise<void> {
  const history = historyToJSON(await handle.fetchHistory());
  await mkdir(FOLDER, { recursive: true });
  await writeFile(new URL(`${name}.json`, FOLDER), `${withoutPlaces(history)}\n`);
  process.stdout.write(`${name}.json\n`);
}

/** Where it was recorded is nobody's business, and no decision depends on it. */
function withoutPlaces(history: string): string {
  const places = new Set(['stackTrace', 'identity']);
  return JSON.stringify(
    JSON.parse(history, (key, value: unknown) => places.has(key) ? '' : value),
    null,
    2,
  );
}
