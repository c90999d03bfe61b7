import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { bundleWorkflowCode } from '@temporalio/worker';
import { WORKFLOWS } from '../../cli/workflow_bundle.ts';
import { ingestShardId } from '../../temporal.config.ts';
import type { FaultChild } from './fault_child.ts';
import type { FaultWorkerPlan } from './fault_worker.ts';
import type { FaultWorld } from './fault_world.ts';
import { startTemporal, type TemporalServer } from './temporal_server.ts';

/** A Temporal of the fault tests, with the workflows bundled once for all its workers. */
export class FaultTemporal {
  readonly server: TemporalServer;
  readonly #folder: string;
  readonly bundlePath: string;

  static async start(): Promise<FaultTemporal> {
    const [server, bundle, folder] = await Promise.all([
      startTemporal(),
      bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: silent }),
      mkdtemp(join(tmpdir(), 'nepho-bundle-')),
    ]);
    const bundlePath = join(folder, 'workflows.js');
    await writeFile(bundlePath, bundle.code);
    return new FaultTemporal(server, folder, bundlePath);
  }

  private constructor(server: TemporalServer, folder: string, bundlePath: string) {
    this.server = server;
    this.#folder = folder;
    this.bundlePath = bundlePath;
  }

  /** Starts a worker process, whose actors continue as new after every leg. */
  async startWorker(world: FaultWorld, options: Partial<FaultWorkerPlan>): Promise<FaultChild> {
    const worker = world.startWorker({
      legSeconds: 1,
      ...options,
      temporal: { address: this.server.address, bundlePath: this.bundlePath, legsPerRun: 1 },
    });
    await worker.reported('ready').catch((error: unknown) => {
      // It may be killed while it becomes ready, as it was asked for.
      if (!worker.events.some(({ event }) => event === 'struck')) throw error;
    });
    return worker;
  }

  async endActors(shards: number): Promise<void> {
    const connection = await Connection.connect({ address: this.server.address });
    try {
      const client = new Client({ connection });
      for (let shard = 0; shard < shards; shard += 1) {
        await client.workflow.getHandle(ingestShardId(shard)).terminate('the test is over')
          .catch((error: unknown) => {
            if (!(error instanceof WorkflowNotFoundError)) throw error;
          });
      }
    } finally {
      await connection.close();
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const silent = {
  log: () => {},
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
