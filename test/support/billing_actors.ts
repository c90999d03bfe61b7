/** The actors of billing on a real Temporal, their workers in this process. */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createBillingActivities } from '../../activities/billing_activities.ts';
import type { BillingDeps, WebhookDeps } from '../../activities/billing_deps.ts';
import { createWebhookActivities } from '../../activities/deliver_webhook.ts';
import { createHistoryActivities } from '../../activities/export_history.ts';
import { historyFetcher } from '../../cli/fetch_history.ts';
import { logTemporalBy } from '../../cli/run_worker.ts';
import { billingPeriodId } from '../../ledger/billing_identity.ts';
import { TASK_QUEUES } from '../../temporal.config.ts';
import type { BillingPeriodStatus } from '../../workflows/billing_period.ts';
import type { BillingRunResult } from '../../workflows/billing_run.ts';

const LIMIT_MS = 60_000;

/** Where the actors run. */
export interface ActorPlace {
  /** `host:port` of Temporal. */
  address: string;
  bundlePath: string;
}

/** The workers of all queues that billing uses. */
export async function startBillingWorkers(
  { address, bundlePath }: ActorPlace,
  deps: BillingDeps & WebhookDeps,
): Promise<{ stop(): Promise<void> }> {
  logTemporalBy(deps.log);
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const histories = createHistoryActivities({
    ...deps,
    fetchHistory: historyFetcher(client.workflow),
  });
  const workers = await Promise.all([
    Worker.create({
      connection,
      taskQueue: TASK_QUEUES.control,
      workflowBundle: { codePath: bundlePath },
    }),
    Worker.create({
      connection,
      taskQueue: TASK_QUEUES.windows,
      activities: { ...createBillingActivities(deps), ...histories },
    }),
    Worker.create({
      connection,
      taskQueue: TASK_QUEUES.webhooks,
      activities: { ...createWebhookActivities(deps) },
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  return {
    stop: async () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all(running);
      await connection.close();
      await client.connection.close();
    },
  };
}

/** Asks and orders, as the API and the Schedule do. */
export class BillingActors {
  readonly client: Client;
  readonly #connection: Connection;
  #runs = 0;

  static async connect({ address }: Pick<ActorPlace, 'address'>): Promise<BillingActors> {
    return new BillingActors(await Connection.connect({ address }));
  }

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.client = new Client({ connection });
  }

  /** One run as the Schedule begins it. */
  async begin(): Promise<WorkflowHandle> {
    this.#runs += 1;
    return await this.client.workflow.start('billingRun', {
      workflowId: `billing-run-${process.pid}-${this.#runs}`,
      taskQueue: TASK_QUEUES.control,
      args: [],
    });
  }

  /** The same, waited for. */
  async run(): Promise<BillingRunResult> {
    return await (await this.begin()).result() as BillingRunResult;
  }

  handle(projectId: string, period: string) {
    return this.client.workflow.getHandle(billingPeriodId(projectId, period));
  }

  async status(projectId: string, period: string): Promise<BillingPeriodStatus> {
    return await this.handle(projectId, period).query<BillingPeriodStatus>('status');
  }

  /** Waits until what an actor says of itself is as wanted. */
  async until(
    projectId: string,
    period: string,
    holds: (status: BillingPeriodStatus) => boolean,
  ): Promise<BillingPeriodStatus> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const status = await this.status(projectId, period);
      if (holds(status)) return status;
      if (Date.now() > deadline) {
        throw new Error(`not ${holds.toString()}: ${JSON.stringify(status)}`);
      }
      await delay(50);
    }
  }

  /** All that stands in the histories of a kind of actor. */
  async histories(type: string): Promise<string> {
    const texts: string[] = [];
    const runs = this.client.workflow.list({ query: `WorkflowType = '${type}'` });
    for await (const { workflowId, runId } of runs) {
      const history = await this.client.workflow.getHandle(workflowId, runId).fetchHistory();
      texts.push(
        JSON.stringify(
          history,
          (_, value: unknown) =>
            value instanceof Uint8Array ? new TextDecoder().decode(value) : value,
        ),
      );
    }
    return texts.join('\n');
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
