import { NephoError } from './errors.ts';

/** Half-open, in microseconds since 1970, UTC. */
export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/** What a clock on the wall shows. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

export const CALENDAR_UNITS = ['hour', 'day', 'week', 'month'] as const;
export type CalendarUnit = (typeof CALENDAR_UNITS)[number];

/** Spans that one range may have: more are a mistake, or should be asked for in parts. */
export const MAX_SPANS = 100_000;

const MICROS_PER_SECOND = 1_000_000n;
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
/** No zone is further from UTC; to this side and that of a local time lies the instant of it. */
const REACH_SECONDS = DAY_SECONDS;
/** As the database of time zones writes names; not the offsets that some platforms take for zones. */
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;
const MAX_ZONE_LENGTH = 64;
/** Zones whose formats are kept: more than there are names of zones. */
const MAX_FORMATS = 1_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** True for a name of the database of time zones, as `Europe/Berlin` or `UTC`. */
export function isKnownZone(zone: string): boolean {
  return formatOf(zone) !== null;
}

/**
 * The spans of the calendar that part a range, in order and without gaps; the first and the last are cut to
 * the range. Days, weeks (from Monday) and months begin when the local date does: a day has 23, 24 or 25
 * hours, and one that a zone skipped has no span. Hours are cut where the local clock shows a full hour and
 * where it is set, so that an hour that comes twice is two spans.
 *
 * @throws {NephoError} `zone_unknown`, `too_many_spans`
 */
export function calendarSpans(
  { from, to, every, zone }: { from: bigint; to: bigint; every: CalendarUnit; zone: string },
): Span[] {
  const spans: Span[] = [];
  const ends = every === 'hour' ? hourEnds(zone, from, to) : startsAfter(zone, every, from);
  for (let start = from; start < to;) {
    const next = ends.next().value ?? to;
    const end = next < to ? next : to;
    if (spans.length >= MAX_SPANS) {
      throw new NephoError(
        'too_many_spans',
        `Cannot part the range by '${every}': it has more than ${MAX_SPANS} of them, ask for a shorter range`,
        { context: { every } },
      );
    }
    spans.push({ start, end });
    start = end;
  }
  return spans;
}

/** What the clock of a zone shows. @throws {NephoError} `zone_unknown` */
export function localTimeOf(zone: string, at: bigint): LocalTime {
  return timeOfSeconds(localSeconds(zone, secondsOf(at)));
}

/** Seconds that the clock of a zone is ahead of UTC. @throws {NephoError} `zone_unknown` */
export function offsetSecondsOf(zone: string, at: bigint): number {
  const seconds = secondsOf(at);
  return localSeconds(zone, seconds) - seconds;
}

/**
 * The instant at which a local date begins: midnight, or where a zone skips midnight the first instant after
 * it; where midnight comes twice, the first one. `month` and `day` may lie outside of the year, as 13 or 0.
 *
 * @throws {NephoError} `zone_unknown`
 */
export function startOfDate(zone: string, year: number, month: number, day: number): bigint {
  const local = Date.UTC(year, month - 1, day) / 1_000;
  return BigInt(instantOf(zone, local)) * MICROS_PER_SECOND;
}

/** The first instant whose local time is `local` or later, all in seconds. */
function instantOf(zone: string, local: number): number {
  const before = local - REACH_SECONDS;
  const offsets = [before, local + REACH_SECONDS].map((at) => localSeconds(zone, at) - at);
  const exact = offsets.map((offset) => local - offset)
    .filter((at) => localSeconds(zone, at) === local);
  if (exact.length > 0) return Math.min(...exact);
  return changeBetween(zone, before, local + REACH_SECONDS) ?? local;
}

/** Where the offset changes, null if it is the same at both ends. In seconds, exact to one. */
function changeBetween(zone: string, from: number, to: number): number | null {
  const offset = localSeconds(zone, from) - from;
  if (localSeconds(zone, to) - to === offset) return null;
  let [same, other] = [from, to];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (localSeconds(zone, middle) - middle === offset) same = middle;
    else other = middle;
  }
  return other;
}

/** Where days, weeks or months begin after `from`, without end. */
function* startsAfter(
  zone: string,
  every: Exclude<CalendarUnit, 'hour'>,
  from: bigint,
): Generator<bigint, undefined> {
  const { year, month, day } = localTimeOf(zone, from);
  // Monday is 0.
  const weekday = (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7;
  let last = from;
  for (let step = 1;; step += 1) {
    const next = every === 'month'
      ? startOfDate(zone, year, month + step, 1)
      : startOfDate(zone, year, month, every === 'day' ? day + step : day - weekday + 7 * step);
    // Not so where a date was skipped, or where a clock that was set back shows one again.
    if (next > last) yield next;
    last = next > last ? next : last;
  }
}

/** Where hours end after `from`: looked at by UTC days, in each of which a clock is set once at most. */
function* hourEnds(zone: string, from: bigint, to: bigint): Generator<bigint, undefined> {
  const end = secondsOf(to);
  for (let start = secondsOf(from); start <= end;) {
    const offset = localSeconds(zone, start) - start;
    const stop = Math.floor(start / DAY_SECONDS + 1) * DAY_SECONDS;
    const change = changeBetween(zone, start, stop) ?? stop;
    const first = (Math.floor((start + offset) / HOUR_SECONDS) + 1) * HOUR_SECONDS - offset;
    for (let at = first; at < change; at += HOUR_SECONDS) yield BigInt(at) * MICROS_PER_SECOND;
    const isSet = change < stop || localSeconds(zone, stop) - stop !== offset;
    if (isSet || (change + offset) % HOUR_SECONDS === 0) yield BigInt(change) * MICROS_PER_SECOND;
    start = change;
  }
}

/** What the clock shows, as if it were UTC: seconds since 1970. */
function localSeconds(zone: string, seconds: number): number {
  const format = formatOf(zone);
  if (format === null) {
    throw new NephoError(
      'zone_unknown',
      `Cannot use the time zone '${
        zone.slice(0, MAX_ZONE_LENGTH)
      }': it is not known here, write a name as Europe/Berlin or UTC`,
      { context: { zone: zone.slice(0, MAX_ZONE_LENGTH) } },
    );
  }
  if (zone === 'UTC') return seconds;
  // Reading the whole text is several times quicker than asking for its parts.
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = format
    .format(seconds * 1_000).match(/\d+/g)?.map(Number) ?? [];
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1_000;
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  if (zone.length > MAX_ZONE_LENGTH || !ZONE_NAME.test(zone)) return null;
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    if (formats.size >= MAX_FORMATS) formats.clear();
    formats.set(zone, format);
    return format;
  } catch {
    return null;
  }
}

function secondsOf(at: bigint): number {
  const seconds = at / MICROS_PER_SECOND;
  return Number(at < 0n && seconds * MICROS_PER_SECOND !== at ? seconds - 1n : seconds);
}

function timeOfSeconds(seconds: number): LocalTime {
  const date = new Date(seconds * 1_000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}
