/** A keeper of windows on a real Temporal, its worker in this process. */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createHistoryActivities } from '../../activities/export_history.ts';
import { createWindowActivities } from '../../activities/window_activities.ts';
import type { WindowDeps } from '../../activities/window_deps.ts';
import { historyFetcher } from '../../cli/fetch_history.ts';
import { logTemporalBy } from '../../cli/run_worker.ts';
import { TASK_QUEUES, windowKeeperId } from '../../temporal.config.ts';
import type { KeeperStatus, WindowKeeperState } from '../../workflows/window_keeper.ts';
import type { FaultTemporal } from './fault_temporal.ts';

const LIMIT_MS = 60_000;

export class TestKeeper {
  readonly handle: WorkflowHandle;
  readonly client: Client;
  readonly #connection: Connection;
  readonly #native: NativeConnection;
  readonly #workers: Worker[];
  readonly #running: Promise<void>[];

  static async start(
    temporal: FaultTemporal,
    deps: WindowDeps,
    state: Partial<WindowKeeperState> = {},
  ): Promise<TestKeeper> {
    const { address } = temporal.server;
    logTemporalBy(deps.log);
    const native = await NativeConnection.connect({ address });
    const connection = await Connection.connect({ address });
    const client = new Client({ connection });
    const workers = [
      await Worker.create({
        connection: native,
        taskQueue: TASK_QUEUES.control,
        workflowBundle: { codePath: temporal.bundlePath },
      }),
      await Worker.create({
        connection: native,
        taskQueue: TASK_QUEUES.windows,
        activities: {
          ...createWindowActivities(deps),
          ...createHistoryActivities({ ...deps, fetchHistory: historyFetcher(client.workflow) }),
        },
      }),
    ];
    const input: WindowKeeperState = { shard: 0, every_seconds: 3_600, ...state };
    await client.workflow.start('windowKeeper', {
      workflowId: windowKeeperId(0),
      taskQueue: TASK_QUEUES.control,
      args: [input],
    });
    return new TestKeeper({ client, connection, native, workers });
  }

  private constructor(
    parts: { client: Client; connection: Connection; native: NativeConnection; workers: Worker[] },
  ) {
    this.client = parts.client;
    this.#connection = parts.connection;
    this.#native = parts.native;
    this.#workers = parts.workers;
    this.#running = parts.workers.map((worker) => worker.run());
    this.handle = parts.client.workflow.getHandle(windowKeeperId(0));
  }

  async status(): Promise<KeeperStatus> {
    return await this.handle.query<KeeperStatus>('status');
  }

  /** Waits until the status is as wanted. */
  async until(condition: (status: KeeperStatus) => boolean): Promise<KeeperStatus> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const status = await this.status();
      if (condition(status)) return status;
      if (Date.now() > deadline) {
        throw new Error(`not ${condition.toString()}: ${JSON.stringify(status)}`);
      }
      await delay(50);
    }
  }

  async stop(): Promise<void> {
    await this.handle.terminate('the test is over');
    for (const worker of this.#workers) worker.shutdown();
    await Promise.all(this.#running);
    await this.#connection.close();
    await this.#native.close();
  }
}
