/** When a source is polled, and which of its groups polls what. Schedules and samples depend on it. */
import { NephoError } from './errors.ts';
import { mixBits, stableHash } from './stable_hash.ts';
import { formatMillis, toMicros } from './timestamp.ts';

export interface PollGroupName {
  cloud: string;
  source: string;
  /** From 0. */
  group: number;
}

/** Cycles of one call of {@link cyclesOf}: a year of every five minutes. */
const MAX_CYCLES = 110_000;
const SAFE = /^[A-Za-z0-9._-]*$/;

/**
 * The id of the Schedule of one group of a source, and the beginning of its runs' workflow ids:
 * `poll-<cloud>-<source>-<group>`. A source whose name has other characters than letters, digits, dots,
 * hyphens and underscores has these alone, and a hash; `parsePolling` sees to it that no two are equal.
 */
export function pollScheduleId({ cloud, source, group }: PollGroupName): string {
  const name = SAFE.test(source)
    ? source
    : `${source.replaceAll(/[^A-Za-z0-9._-]+/g, '_')}~${
      stableHash(source).toString(16).padStart(8, '0')
    }`;
  return `poll-${cloud}-${name}-${group}`;
}

/**
 * Seconds, below the interval, by which a group's cycles lie behind the full interval: taken from its
 * name, so that many sources do not ask at the same second, and each at the same one for ever.
 */
export function phaseSeconds(name: PollGroupName, intervalSeconds: number): number {
  return stableHash(pollScheduleId(name)) % intervalSeconds;
}

/**
 * The nominal times of a group in a span, its end not included: canonical UTC timestamps, ascending.
 *
 * @throws {NephoError} `too_many_cycles` beyond 110,000
 */
export function cyclesOf(
  name: PollGroupName,
  intervalSeconds: number,
  span: { from: string; to: string },
): string[] {
  const phase = phaseSeconds(name, intervalSeconds);
  return nominalTimes({ intervalSeconds, phase }, millisOf(span.from), millisOf(span.to))
    .map(formatMillis);
}

/**
 * The nominal times from `fromMs` up to but without `toMs`, as Temporal computes them of
 * `spec.intervals[{ every, offset }]`: whole multiples of the interval since 1970 in UTC, plus the phase.
 *
 * @returns milliseconds since 1970 UTC, ascending
 * @throws {NephoError} as {@link cyclesOf}
 */
export function nominalTimes(
  { intervalSeconds, phase }: { intervalSeconds: number; phase: number },
  fromMs: number,
  toMs: number,
): number[] {
  const everyMs = intervalSeconds * 1_000;
  const phaseMs = phase * 1_000;
  const first = Math.ceil((fromMs - phaseMs) / everyMs);
  const count = Math.max(0, Math.ceil((toMs - phaseMs) / everyMs) - first);
  if (!(count <= MAX_CYCLES)) {
    throw new NephoError(
      'too_many_cycles',
      `Cannot list ${count} cycles of ${intervalSeconds} s: at most ${MAX_CYCLES} are listed, take a shorter time`,
    );
  }
  return Array.from({ length: count }, (_, k) => (first + k) * everyMs + phaseMs);
}

/**
 * The group that polls a unit, from 0 to `groups` - 1: that whose hash with the unit is the highest
 * (rendezvous hashing). With one group more, only the units that it takes over change theirs.
 */
export function groupOf(unitId: string, groups: number): number {
  const hash = stableHash(unitId);
  let best = 0;
  let highest = -1;
  for (let group = 0; group < groups; group += 1) {
    const weight = mixBits(hash ^ mixBits(group + 1));
    if (weight > highest) {
      highest = weight;
      best = group;
    }
  }
  return best;
}

/** Upwards, so that a span does not begin before its own beginning. */
function millisOf(timestamp: string): number {
  return Number((toMicros(timestamp) + 999n) / 1_000n);
}
