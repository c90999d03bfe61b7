/** What the demonstration asks of the actors, so that nobody has to wait for their intervals. */
import { Client, Connection, ScheduleOverlapPolicy } from '@temporalio/client';
import { BILLING_RUN_ID, TASK_QUEUES, windowKeeperId } from '../temporal.config.ts';
import type { KeeperStatus, WindowKeeperState } from '../workflows/window_keeper.ts';

const WHY = 'the demonstration is being fed';

export class DemoActors {
  readonly #connection: Connection;
  readonly #client: Client;
  readonly #shards: number;

  private constructor(connection: Connection, namespace: string, shards: number) {
    this.#connection = connection;
    this.#client = new Client({ connection, namespace });
    this.#shards = shards;
  }

  static async connect(
    options: { temporalAddress: string; temporalNamespace: string; shards: number },
  ): Promise<DemoActors> {
    const connection = await Connection.connect({ address: options.temporalAddress });
    return new DemoActors(connection, options.temporalNamespace, options.shards);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /**
   * Pauses the keepers of windows, if need be before there is a worker that would start them. The feed tells
   * in seconds what took two days: an hour would be sealed before all of it is in.
   */
  async holdKeepers(): Promise<void> {
    for (let shard = 0; shard < this.#shards; shard += 1) {
      const state: WindowKeeperState = { shard };
      await this.#client.workflow.signalWithStart('windowKeeper', {
        workflowId: windowKeeperId(shard),
        taskQueue: TASK_QUEUES.control,
        args: [state],
        signal: 'pause',
        signalArgs: [WHY],
      });
    }
  }

  /** Only those that {@link DemoActors.holdKeepers} paused: an operator may have reasons to pause others. */
  async releaseKeepers(): Promise<void> {
    for (let shard = 0; shard < this.#shards; shard += 1) {
      const { mode, reason } = await this.#status(shard);
      if (mode === 'paused' && reason === WHY) await this.#keeper(shard).signal('resume');
    }
  }

  /** Has them look for what is to be sealed and revised. */
  async look(): Promise<void> {
    for (let shard = 0; shard < this.#shards; shard += 1) await this.#keeper(shard).signal('look');
  }

  /** How far the hours before `until` are sealed, in the logs that have samples. */
  async sealing(until: string): Promise<{ done: boolean; hours: number }> {
    const logs = await Promise.all(
      Array.from({ length: this.#shards }, async (_, shard) => await this.#status(shard)),
    );
    return {
      done: logs.every((status) => isSealed(status, until)),
      hours: logs.reduce((sum, { totals }) => sum + totals.hours, 0),
    };
  }

  /** Has the periods looked through, once more if that is being done. */
  async bill(): Promise<void> {
    await this.#client.schedule.getHandle(BILLING_RUN_ID).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  }

  async #status(shard: number): Promise<KeeperStatus> {
    return await this.#keeper(shard).query<KeeperStatus>('status');
  }

  #keeper(shard: number) {
    return this.#client.workflow.getHandle(windowKeeperId(shard));
  }
}

function isSealed({ watermark, last_run }: KeeperStatus, until: string): boolean {
  if (watermark === null) return false;
  const isEmpty = watermark.waiting_for.some(({ reason }) => reason === 'no_samples');
  return isEmpty || [watermark.sealed_until, last_run?.sealed_until]
    .some((sealed) => typeof sealed === 'string' && sealed >= until);
}
