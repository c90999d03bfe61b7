/** An `ingestShard` actor on a real Temporal, its worker in this process. */
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { type RunningWorker, runWorker } from '../../cli/run_worker.ts';
import { ingestShardId } from '../../temporal.config.ts';
import type { IngestStatus } from '../../workflows/ingest_shard.ts';
import type { FaultTemporal } from './fault_temporal.ts';

const LIMIT_MS = 60_000;

export interface ActorOptions {
  legSeconds: number;
  legsPerRun: number;
}

export class TestActor {
  readonly handle: WorkflowHandle;
  readonly #temporal: FaultTemporal;
  readonly #connection: Connection;
  readonly #options: ActorOptions;
  #worker: RunningWorker | null = null;

  static async start(
    temporal: FaultTemporal,
    deps: IngestDeps,
    options: ActorOptions = { legSeconds: 1, legsPerRun: 100 },
  ): Promise<TestActor> {
    const connection = await Connection.connect({ address: temporal.server.address });
    const actor = new TestActor(temporal, connection, options);
    await actor.work(deps);
    return actor;
  }

  private constructor(temporal: FaultTemporal, connection: Connection, options: ActorOptions) {
    this.#temporal = temporal;
    this.#connection = connection;
    this.#options = options;
    this.handle = new Client({ connection }).workflow.getHandle(ingestShardId(0));
  }

  /** Starts a worker, after the one before has ended. */
  async work(deps: IngestDeps): Promise<void> {
    await this.#worker?.stop();
    this.#worker = await runWorker(deps, {
      address: this.#temporal.server.address,
      namespace: 'default',
      shards: 1,
      workflowBundle: { codePath: this.#temporal.bundlePath },
      ...this.#options,
    });
  }

  async stopWorking(): Promise<void> {
    await this.#worker?.stop();
    this.#worker = null;
  }

  async status(): Promise<IngestStatus> {
    return await this.handle.query<IngestStatus>('status');
  }

  /** Waits until the status is as wanted. */
  async until(condition: (status: IngestStatus) => boolean): Promise<IngestStatus> {
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

  /** Every payload in the histories of all runs of this actor, as text. */
  async payloads(): Promise<string[]> {
    const client = new Client({ connection: this.#connection });
    const texts: string[] = [];
    const runs = client.workflow.list({ query: `WorkflowId = '${this.handle.workflowId}'` });
    for await (const { runId } of runs) {
      const history = await client.workflow.getHandle(this.handle.workflowId, runId).fetchHistory();
      collectPayloads(history, texts);
    }
    return texts;
  }

  async stop(): Promise<void> {
    await this.#temporal.endActors(1);
    await this.#worker?.stop();
    await this.#connection.close();
  }
}

/** Payloads are the only `data` in bytes that events have. */
function collectPayloads(node: unknown, texts: string[]): void {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'data' && value instanceof Uint8Array) texts.push(new TextDecoder().decode(value));
    else collectPayloads(value, texts);
  }
}
