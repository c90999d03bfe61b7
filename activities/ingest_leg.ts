import { Context } from '@temporalio/activity';
import { errorMessage } from '../meters/errors.ts';
import { ingestFailure } from './failures.ts';
import type { IngestDeps } from './ingest_deps.ts';
import { IngestSession } from './ingest_session.ts';
import type { LegReceipt } from './leg_receipt.ts';

export interface IngestLegInput {
  shard: number;
  /** How long to go on; less when cancelled, or drained. */
  seconds: number;
  /** End as soon as the intake of this shard is empty. */
  drain: boolean;
}

export interface IngestActivities {
  /**
   * Pulls, signs, stores and acknowledges one shard's intake for about a minute. Safe to run again at any
   * point: identity comes from the content, and a former attempt that is still alive is fenced out.
   */
  ingestLeg(input: IngestLegInput): Promise<LegReceipt>;
}

/** Messages at most in a batch, and how long to wait for them. */
const PULL = { maxMessages: 1_000, maxWaitMs: 200 };

export function createIngestActivities(deps: IngestDeps): IngestActivities {
  return {
    ingestLeg: async (input) => {
      const context = Context.current();
      const stop = context.cancellationSignal;
      try {
        return await runLeg(deps, input, {
          stopped: () => stop.aborted,
          heartbeat: (size) => context.heartbeat({ size }),
        });
      } catch (error) {
        deps.log.error('leg_failed', { shard: input.shard, error: errorMessage(error) });
        throw ingestFailure(error);
      }
    },
  };
}

/** What a leg needs of whatever runs it. */
export interface LegControl {
  stopped(): boolean;
  heartbeat(size: number): void;
}

/** One leg, apart from Temporal. */
export async function runLeg(
  deps: IngestDeps,
  input: IngestLegInput,
  control: LegControl,
): Promise<LegReceipt> {
  const deadline = deps.nowMs() + input.seconds * 1_000;
  const session = await IngestSession.open(deps, input.shard);
  let drained = false;
  try {
    while (!control.stopped() && !drained && deps.nowMs() < deadline) {
      const taken = await session.step(PULL);
      control.heartbeat(session.size);
      drained = input.drain && taken === 0 && await session.isDrained();
    }
    await session.settle();
    // The intake is one for all shards, so one of them sees to it.
    if (input.shard === 0) await deps.trimIntake();
    return await session.receipt(drained);
  } catch (error) {
    await session.abandon();
    throw error;
  } finally {
    await session.close();
  }
}
