import { fnv1a } from './fnv1a.ts';
import { formatMillis, toMicros } from './timestamp.ts';

export interface PollGroupName {
  cloud: string;
  source: string;
  /** From 0. */
  group: number;
}

/** The id of the Schedule of one group of a source, and the beginning of its runs' workflow ids. */
export function pollScheduleId({ cloud, source, group }: PollGroupName): string {
  return `poll-${cloud}-${source}-${group}`;
}

/**
 * Seconds, below the interval, by which a group's cycles lie behind the full interval: taken from its
 * name, so that many sources do not ask at the same second, and each at the same one for ever.
 */
export function phaseSeconds(name: PollGroupName, intervalSeconds: number): number {
  return fnv1a(pollScheduleId(name)) % intervalSeconds;
}

/**
 * The nominal times in a span, its end not included, as Temporal computes those of an interval with an
 * offset: whole multiples of the interval since 1970, and the phase. Canonical UTC timestamps.
 */
export function* nominalTimes(
  name: PollGroupName,
  intervalSeconds: number,
  span: { from: string; to: string },
): Iterable<string> {
  const phase = phaseSeconds(name, intervalSeconds);
  const from = Number(toMicros(span.from)) / 1e6;
  let seconds = Math.ceil((from - phase) / intervalSeconds) * intervalSeconds + phase;
  for (;;) {
    const nominal = formatMillis(seconds * 1_000);
    if (nominal >= span.to) return;
    yield nominal;
    seconds += intervalSeconds;
  }
}
