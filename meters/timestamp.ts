import { NephoError } from './errors.ts';

/** UTC with microseconds: `2026-01-31T23:59:59.123456Z`. Text order is time order. */
const CANONICAL =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;
const READABLE =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i;

const MICROS_PER_MILLI = 1_000n;
/** The lengths of an hour and of a day of UTC in microseconds. */
export const HOUR_MICROS = 3_600_000_000n;
export const DAY_MICROS = 24n * HOUR_MICROS;

/**
 * Reads an ISO 8601 time as OpenStack's services write it: `T` or a space, with or without a fraction
 * (digits beyond microseconds are cut), with an offset, `Z`, or nothing, which means UTC.
 *
 * @returns the canonical text, UTC with microseconds
 * @throws {NephoError} `timestamp_invalid`
 */
export function parseTimestamp(text: string): string {
  if (CANONICAL.test(text) && isRealDate(text)) return text;
  const match = READABLE.exec(text.trim());
  if (match === null) throw unreadable(text);
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone] =
    match;
  const canonical = `${year}-${month}-${day}T${hour}:${minute}:${second}.${
    fraction.slice(0, 6).padEnd(6, '0')
  }Z`;
  if (!CANONICAL.test(canonical) || !isRealDate(canonical)) throw unreadable(text);
  const offsetMinutes = readOffset(zone, text);
  if (offsetMinutes === 0) return canonical;
  return formatMicros(toMicros(canonical) - BigInt(offsetMinutes) * 60_000_000n);
}

/** Microseconds since 1970 of a canonical timestamp. */
export function toMicros(canonical: string): bigint {
  const millis = Date.parse(`${canonical.slice(0, 19)}Z`);
  return BigInt(millis) * MICROS_PER_MILLI + BigInt(canonical.slice(20, 26));
}

/** The canonical text of microseconds since 1970. @throws {NephoError} `timestamp_invalid` */
export function formatMicros(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const millis = Number((micros - rest) / MICROS_PER_MILLI);
  if (Math.abs(millis) > 8.64e15) throw unreadable(`${micros} µs since 1970`);
  const date = new Date(millis).toISOString();
  if (date.length !== 24) throw unreadable(`${micros} µs since 1970`);
  return `${date.slice(0, 19)}.${rest.toString().padStart(6, '0')}Z`;
}

/** The canonical text of milliseconds since 1970, as `Date.now()` gives them. */
export function formatMillis(millis: number): string {
  return formatMicros(BigInt(Math.trunc(millis)) * MICROS_PER_MILLI);
}

export function isCanonicalTimestamp(text: string): boolean {
  return CANONICAL.test(text) && isRealDate(text);
}

function isRealDate(canonical: string): boolean {
  const day = Number(canonical.slice(8, 10));
  if (day <= 28) return true;
  const year = Number(canonical.slice(0, 4));
  const month = Number(canonical.slice(5, 7));
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function readOffset(zone: string | undefined, text: string): number {
  if (zone === undefined || /^(?:z|utc)$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) throw unreadable(text);
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function unreadable(text: string): NephoError {
  return new NephoError(
    'timestamp_invalid',
    `Cannot read a time from '${
      text.slice(0, 80)
    }': write ISO 8601, as in 2026-01-31T23:59:59.123456Z`,
  );
}
