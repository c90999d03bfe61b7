import { parseTimestamp } from '../meters/timestamp.ts';

const IN_UTC = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?\+00$/;

/**
 * The canonical text, UTC with microseconds, of a `timestamptz` as PostgreSQL writes it in its ISO date
 * style: `2026-01-31 23:59:59.12+00`, in whatever time zone the session has.
 *
 * @throws {NephoError} `timestamp_invalid` for infinity and years beyond four digits
 */
export function canonicalTimestamp(text: string): string {
  const match = IN_UTC.exec(text);
  if (match === null) return parseTimestamp(text);
  return `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, '0')}Z`;
}
