import { positionOf } from '../ledger/position.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

interface BatchRow {
  position: bigint;
  samples: number;
  digest: string;
}

/**
 * Digests of the definition sets that made the samples at these places of a log, ascending: 64 hexadecimal
 * digits each.
 */
export async function definitionsOfSamples(
  db: Queryable,
  logId: number,
  { start, end, positions }: { start: string; end: string; positions: readonly number[] },
): Promise<string[]> {
  if (positions.length === 0) return [];
  return await withDatabaseErrors('find the definitions of samples', async () => {
    const { rows } = await db.query<BatchRow>(
      `SELECT b.position, b.samples, encode(d.digest, 'hex') AS digest
       FROM batches b JOIN definition_sets d USING (definition_set_id)
       WHERE b.position >= $1 AND b.position < $2 AND b.max_ts >= $3 AND b.min_ts < $4
       ORDER BY b.position`,
      [positionOf(logId, 0), positionOf(logId + 1, 0), start, end],
    );
    const digests = new Set(rows.map(({ digest }) => digest));
    // A batch's span of time says only that it may have samples of the hour.
    return [...digests.size > 1 ? usedDigests(rows, positions) : digests].sort();
  });
}

function usedDigests(batches: readonly BatchRow[], positions: readonly number[]): Set<string> {
  const used = new Set<string>();
  const ordered = positions.toSorted((a, b) => a - b);
  let next = 0;
  for (const { samples, digest, ...batch } of batches) {
    const position = Number(batch.position);
    while (next < ordered.length && (ordered[next] ?? 0) < position) next += 1;
    const first = ordered[next];
    if (first !== undefined && first < position + samples) used.add(digest);
  }
  return used;
}
