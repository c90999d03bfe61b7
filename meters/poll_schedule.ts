import { nominalTimes, scheduleId } from './polling_plan.ts';
import { stableHash } from './stable_hash.ts';
import { formatMillis, toMicros } from './timestamp.ts';

export interface PollGroupName {
  cloud: string;
  source: string;
  /** From 0. */
  group: number;
}

/** The id of the Schedule of one group of a source, and the beginning of its runs' workflow ids. */
export function pollScheduleId({ cloud, source, group }: PollGroupName): string {
  return scheduleId(cloud, source, group);
}

/**
 * Seconds, below the interval, by which a group's cycles lie behind the full interval: taken from its
 * name, so that many sources do not ask at the same second, and each at the same one for ever.
 */
export function phaseSeconds(name: PollGroupName, intervalSeconds: number): number {
  return stableHash(pollScheduleId(name)) % intervalSeconds;
}

/** The nominal times of a group in a span, its end not included: canonical UTC timestamps, ascending. */
export function cyclesOf(
  name: PollGroupName,
  intervalSeconds: number,
  span: { from: string; to: string },
): string[] {
  const schedule = {
    everySeconds: intervalSeconds,
    phaseSeconds: phaseSeconds(name, intervalSeconds),
  };
  return nominalTimes(schedule, millisOf(span.from), millisOf(span.to)).map(formatMillis);
}

/** Upwards, so that a span does not begin before its own beginning. */
function millisOf(timestamp: string): number {
  return Number((toMicros(timestamp) + 999n) / 1_000n);
}
