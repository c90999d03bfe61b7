import { positionOf } from '../ledger/position.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { knownBefore, type LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import type { Span } from '../meters/zone.ts';

/** How far the hours of a log were closed when it had a size. */
export interface SealedLog {
  readonly logId: number;
  /** Place of the first leaf that is not known. */
  readonly knownBefore: number;
  /** Every hour before this instant is sealed, in microseconds; null if none is. */
  readonly sealedUntil: bigint | null;
  /** False of a shard that nothing came to: nobody seals its hours, and nothing is in them. */
  readonly hasSamples: boolean;
  /** Places from which on samples of sealed hours are late, and in no revision yet; null if there are none. */
  readonly lateFrom: number | null;
}

export interface SealedState {
  readonly logs: readonly SealedLog[];
  /** Whether any hour, day or month within the span was revised, then or later. */
  readonly revised: { readonly windows: boolean; readonly rollups: boolean };
}

/** A month's row begins before the span that it is asked for. */
const LONGEST_ROLLUP_MICROS = 31n * 24n * HOUR_MICROS;

/** How far each log was sealed, and whether revisions must be looked for in `span`. */
export async function readSealedState(
  db: Queryable,
  sizes: LogSizes,
  { start, end }: Span,
): Promise<SealedState> {
  const bounds = sizes.map((log) => ({ logId: log.logId, knownBefore: knownBefore(log) }));
  const { rows } = await db.query<
    {
      last: string | null;
      has_samples: boolean;
      late_from: bigint;
      has_late: boolean;
      is_windows: boolean;
      is_rollups: boolean;
    }
  >(
    `SELECT s.start AS last, l.late_from, r.*,
       EXISTS (SELECT FROM batches WHERE position >= b.first AND position < b.known_before)
         AS has_samples, EXISTS (
       SELECT FROM batches WHERE position < b.known_before AND position + samples > l.late_from
         AND position >= coalesce(
           (SELECT max(position) FROM batches WHERE position <= l.late_from AND position >= b.first),
           b.first)
         AND min_ts < s.start + interval '1 hour') AS has_late
     FROM (SELECT
       EXISTS (SELECT FROM windows WHERE revision > 0 AND start >= $3 AND start < $5) AS is_windows,
       EXISTS (SELECT FROM window_rollups
               WHERE revision > 0 AND start >= $4 AND start < $5) AS is_rollups) r
     CROSS JOIN unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS b(first, known_before, n)
     LEFT JOIN LATERAL (
       SELECT start, covers_to FROM seals WHERE position >= b.first AND position < b.known_before
       ORDER BY position DESC LIMIT 1
     ) s ON true
     LEFT JOIN LATERAL (
       SELECT covers_to FROM revisions WHERE position >= b.first AND position < b.known_before
       ORDER BY position DESC LIMIT 1
     ) v ON true
     CROSS JOIN LATERAL (
       SELECT b.first + greatest(s.covers_to, v.covers_to, 0) AS late_from
     ) l
     ORDER BY b.n`,
    [
      bounds.map(({ logId }) => positionOf(logId, 0)),
      bounds.map((log) => log.knownBefore),
      formatMicros(start),
      formatMicros(start - LONGEST_ROLLUP_MICROS),
      formatMicros(end),
    ],
  );
  return {
    logs: bounds.map((log, index) => {
      const { last = null, has_samples, has_late, late_from = 0n } = rows[index] ?? {};
      return {
        ...log,
        sealedUntil: last === null ? null : toMicros(last) + HOUR_MICROS,
        hasSamples: has_samples ?? false,
        lateFrom: has_late === true ? Number(late_from) : null,
      };
    }),
    revised: { windows: rows[0]?.is_windows ?? false, rollups: rows[0]?.is_rollups ?? false },
  };
}
