/**
 * The actor `backfillSource`: closes the gaps of one group of a source, cycle by cycle, from where history
 * is kept. Its id names the span, so that asking twice is asking once. What cannot be had stays a gap.
 */
import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { PollActivities } from '../activities/poll_cycle.ts';
import {
  BACKFILL_CYCLE_SECONDS,
  BACKFILL_CYCLES_PER_RUN,
  POLL_CYCLE_OPTIONS,
} from '../temporal.config.ts';

export interface BackfillInput {
  cloud: string;
  source: string;
  group: number;
  /** Nominal times, the first included, the second not. */
  from: string;
  to: string;
  done?: BackfillResult;
}

export interface BackfillResult {
  /** Pollsters that know history; none, and nothing could be repaired. */
  pollsters: string[];
  cycles: number;
  samples: number;
}

const { pollCycle, repairableCycles } = proxyActivities<PollActivities>({
  ...POLL_CYCLE_OPTIONS,
  startToCloseTimeout: `${BACKFILL_CYCLE_SECONDS + 10} seconds`,
  retry: { ...POLL_CYCLE_OPTIONS.retry, maximumAttempts: 5 },
});

export async function backfillSource(input: BackfillInput): Promise<BackfillResult> {
  const { cloud, source, group, from, to } = input;
  const name = { cloud, source, group };
  const limit = BACKFILL_CYCLES_PER_RUN;
  const { pollsters, cycles } = await repairableCycles({ ...name, from, to, limit });
  const done = { cycles: 0, samples: 0, ...input.done, pollsters };
  for (const cycle of cycles) {
    const receipt = await pollCycle({
      ...name,
      cycle,
      from_history: true,
      seconds: BACKFILL_CYCLE_SECONDS,
    });
    done.cycles += 1;
    done.samples += receipt.samples;
  }
  const last = cycles.at(-1);
  if (last === undefined || cycles.length < limit) return done;
  // A microsecond behind the last one: what could not be repaired is not asked for again.
  return await continueAsNew<typeof backfillSource>({ ...input, from: after(last), done });
}

/** The next time after a whole second, which nominal times are. */
function after(cycle: string): string {
  return cycle.replace('.000000Z', '.000001Z');
}
