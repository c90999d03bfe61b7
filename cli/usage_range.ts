/** The range that a question about usage names on the command line. */
import { formatMicros, parseTimestamp, toMicros } from '../meters/timestamp.ts';
import { isKnownZone, localTimeOf, startOfDate } from '../meters/zone.ts';
import { NephoError } from '../meters/errors.ts';

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

export interface RangeOptions {
  from?: string;
  to?: string;
  zone: string;
}

/**
 * The half-open range: dates begin in the zone; without a beginning that of the month, without an end now.
 *
 * @throws {NephoError} `zone_unknown`, `timestamp_invalid`
 */
export function rangeOf(options: RangeOptions, nowMs: number): { from: string; to: string } {
  const { from, to, zone } = options;
  if (!isKnownZone(zone)) {
    throw new NephoError(
      'zone_unknown',
      `Cannot use the time zone '${zone}': write a name as Europe/Berlin or UTC`,
    );
  }
  const now = BigInt(nowMs) * 1_000n;
  return {
    from: from === undefined ? monthStart(zone, now) : instantOf(from, zone),
    to: to === undefined ? formatMicros(now) : instantOf(to, zone),
  };
}

function monthStart(zone: string, now: bigint): string {
  const { year, month } = localTimeOf(zone, now);
  return formatMicros(startOfDate(zone, year, month, 1));
}

/** A date is the instant at which it begins in the zone. */
function instantOf(text: string, zone: string): string {
  const canonical = parseTimestamp(text);
  const [, year, month, day] = DATE.exec(text.trim()) ?? [];
  if (year === undefined) return canonical;
  return formatMicros(startOfDate(zone, Number(year), Number(month), Number(day)));
}

/** A canonical time as people read it: without a fraction of zero. */
export function shortTime(canonical: string): string {
  return toMicros(canonical) % 1_000_000n === 0n ? `${canonical.slice(0, 19)}Z` : canonical;
}
