import { positionOf } from '../ledger/position.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
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
}

export interface SealedState {
  readonly logs: readonly SealedLog[];
  /** Whether any hour, day or month within the span was revised, then or later. */
  readonly revised: { readonly windows: boolean; readonly rollups: boolean };
}

const HOUR_MICROS = 3_600_000_000n;
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
    { last: string | null; is_windows: boolean; is_rollups: boolean }
  >(
    `SELECT s.start AS last, r.*
     FROM (SELECT
       EXISTS (SELECT FROM windows WHERE revision > 0 AND start >= $3 AND start < $5) AS is_windows,
       EXISTS (SELECT FROM window_rollups
               WHERE revision > 0 AND start >= $4 AND start < $5) AS is_rollups) r
     CROSS JOIN unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS b(first, known_before, n)
     LEFT JOIN LATERAL (
       SELECT start FROM seals WHERE position >= b.first AND position < b.known_before
       ORDER BY position DESC LIMIT 1
     ) s ON true
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
      const last = rows[index]?.last ?? null;
      return { ...log, sealedUntil: last === null ? null : toMicros(last) + HOUR_MICROS };
    }),
    revised: { windows: rows[0]?.is_windows ?? false, rollups: rows[0]?.is_rollups ?? false },
  };
}
