import type { Pool } from 'pg';
import { hourOf } from '../db/window_columns.ts';
import { earliestSample, insertWindowKeeper, type WindowKeeperRow } from '../db/window_keepers.ts';
import { firstSamplesOf, ReadingMaker } from '../db/window_readings.ts';
import { longestStaleness, SeriesCatalogue } from '../db/window_series.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { UsageRules } from '../meters/usage_rules.ts';

/** How far before the present the first hour may lie that is sealed: what is older makes revisions. */
const MAX_AGE_MICROS = 31n * 24n * HOUR_MICROS;

/**
 * Begins the windows of a log with the first hour that its samples are about, at most 31 days before `now`.
 * Idempotent: the first one to look decides.
 *
 * @param options `size`: as of which size of the log
 * @returns null while the log has no samples
 */
export async function beginWindows(
  pool: Pool,
  rules: UsageRules,
  { logId, size, now }: { logId: number; size: number; now: string },
): Promise<WindowKeeperRow | null> {
  const earliest = await earliestSample(pool, { logId, size });
  if (earliest === null) return null;
  const from = toMicros(earliest);
  const oldest = toMicros(now) - MAX_AGE_MICROS;
  const told = await earliestTold(pool, rules, { logId, size, from });
  const first = told > oldest ? told : oldest;
  return await insertWindowKeeper(pool, logId, formatMicros(hourOf(first)));
}

/** A sample may tell of the time before it: an instance that had been there before it was first heard of. */
async function earliestTold(
  pool: Pool,
  rules: UsageRules,
  { logId, size, from }: { logId: number; size: number; from: bigint },
): Promise<bigint> {
  const catalogue = new SeriesCatalogue(rules);
  const samples = await firstSamplesOf(pool, { logId, size }, {
    from,
    to: from + longestStaleness(rules) + 1n,
    meters: await catalogue.retrospectiveMeters(pool),
  });
  await catalogue.load(pool, samples.map(({ series_id }) => series_id));
  const readings = await new ReadingMaker(catalogue).make(pool, samples);
  let earliest = from;
  for (const [id, list] of readings) {
    const { stalenessMicros } = catalogue.get(id).rule;
    for (const { at, since } of list) {
      const reach = at - stalenessMicros;
      const told = since === null ? at : since > reach ? since : reach;
      if (told < earliest) earliest = told;
    }
  }
  return earliest;
}
