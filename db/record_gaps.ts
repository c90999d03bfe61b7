/** Gaps: recorded, counted anew, closed and carried, in the transaction that stores the samples. */
import type { PoolClient } from 'pg';
import type { PollEnd } from '../meters/poll_message.ts';
import { literal } from './insert_batch.ts';
import type { PreparedGap } from './prepared_batch.ts';

/** Records the gaps of one cycle but those whose readings are here, or were counted, already. */
export async function insertGaps(
  tx: PoolClient,
  cycleId: bigint,
  gaps: readonly PreparedGap[],
  recordedAt: string,
): Promise<void> {
  // Of two attempts in one cycle the later one knows the reason better; a gap that was closed stays so.
  const once = [...new Map(gaps.map((gap) => [gap.key, gap])).values()];
  const named = once.filter(({ unit }) => unit !== null);
  const counted = once.filter(({ unit }) => unit === null);
  if (named.length > 0) {
    await tx.query({
      name: 'insert_named_gaps',
      text: `${INSERT} WHERE NOT EXISTS (SELECT 1 FROM origins o WHERE o.key = t.key) ${OR_UPDATE}`,
      values: columns(cycleId, named, recordedAt),
    });
  }
  if (counted.length > 0) {
    // Who could list the units has told of each by its name: the estimate of another adds nothing.
    await tx.query({
      name: 'insert_counted_gaps',
      text: `${INSERT}
           WHERE t.reason = 'below_expectation' OR NOT EXISTS (
             SELECT 1 FROM poll_cycles c, jsonb_array_elements(c.pollsters) AS outcome
             WHERE c.cycle_id = $1 AND (outcome->>'listed')::boolean
               AND (outcome->>'name' = t.pollster OR t.pollster = '*')) ${OR_UPDATE}`,
      values: columns(cycleId, counted, recordedAt),
    });
  }
}

const INSERT = `
  INSERT INTO poll_gaps AS g (gap_key, cycle_id, pollster, unit, units, of_units, partial, meters,
    cumulative, reason, detail, recorded_at)
  SELECT t.key, $1, t.pollster, t.unit, t.units, CASE WHEN t.unit IS NULL THEN t.units END, t.partial,
    string_to_array(t.meters, E'\\n'), t.cumulative, t.reason, t.detail, $2
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::int[], $7::boolean[], $8::text[], $9::boolean[],
      $10::text[], $11::text[])
    AS t(key, pollster, unit, units, partial, meters, cumulative, reason, detail)`;

const OR_UPDATE = `
  ON CONFLICT (gap_key) DO UPDATE SET reason = excluded.reason, detail = excluded.detail,
    of_units = greatest(g.of_units, excluded.of_units)
  WHERE g.repaired_at IS NULL`;

function columns(cycleId: bigint, gaps: readonly PreparedGap[], recordedAt: string): unknown[] {
  return [
    cycleId,
    recordedAt,
    gaps.map((gap) => gap.key),
    gaps.map((gap) => gap.pollster),
    gaps.map((gap) => gap.unit),
    gaps.map((gap) => gap.units),
    gaps.map((gap) => gap.partial),
    gaps.map((gap) => gap.meters.map(({ name }) => name).join('\n')),
    gaps.map((gap) => gap.meters.some(({ type }) => type === 'cumulative')),
    gaps.map((gap) => gap.reason),
    gaps.map((gap) => gap.detail),
  ];
}

/** Of gaps there are few, so the units are looked up in them and not the other way round. */
export async function closeGaps(
  tx: PoolClient,
  keys: readonly string[],
  recordedAt: string,
): Promise<void> {
  if (keys.length === 0) return;
  await tx.query({
    name: 'close_gaps',
    text: `UPDATE poll_gaps SET repaired_at = $1
           WHERE gap_key = ANY($2::uuid[]) AND repaired_at IS NULL`,
    values: [recordedAt, literal(keys)],
  });
}

/** What the end of an attempt could list is not missing as a whole any more. */
export async function closeCountedGaps(
  tx: PoolClient,
  cycleId: bigint,
  end: PollEnd,
  recordedAt: string,
): Promise<void> {
  const listed = end.pollsters.filter((one) => one.listed).map(({ name }) => name);
  if (listed.length === 0) return;
  await tx.query({
    name: 'close_counted_gaps',
    text: `UPDATE poll_gaps SET repaired_at = $2
           WHERE cycle_id = $1 AND unit IS NULL AND repaired_at IS NULL AND pollster = ANY($3)
             AND reason <> 'below_expectation'`,
    values: [cycleId, recordedAt, [...listed, '*']],
  });
}

/**
 * Takes off what is known by name from gaps that are only counted. Attempts and workers know of different
 * units, and none knows what the others have stored: only here is that one account.
 */
export async function recount(
  tx: PoolClient,
  cycleIds: readonly bigint[],
  recordedAt: string,
): Promise<void> {
  const values = [cycleIds, recordedAt];
  await tx.query({
    name: 'recount_units',
    text: `${RECOUNT} AND reason <> 'below_expectation' AND ${STILL} <> units`
      .replaceAll(
        'KNOWN',
        `(SELECT count(*) FROM poll_gaps n WHERE n.cycle_id = g.cycle_id
            AND n.pollster = g.pollster AND n.unit IS NOT NULL AND NOT n.partial
            AND n.repaired_at IS NULL)
         + coalesce((SELECT u.units FROM poll_units u
             WHERE u.cycle_id = g.cycle_id AND u.pollster = g.pollster), 0)`,
      ),
    values,
  });
  await tx.query({
    name: 'recount_readings',
    text: `${RECOUNT} AND reason = 'below_expectation' AND ${STILL} <> units`
      .replaceAll(
        'KNOWN',
        `(SELECT coalesce(sum(n.units), 0) FROM poll_gaps n WHERE n.cycle_id = g.cycle_id
            AND n.gap_key <> g.gap_key AND n.repaired_at IS NULL AND n.meters @> g.meters)
         + coalesce((SELECT v.received FROM poll_coverage v
             WHERE v.cycle_id = g.cycle_id AND v.meter = g.meters[1]), 0)`,
      ),
    values,
  });
}

const STILL = 'g.of_units - (KNOWN)';
const RECOUNT = `
  UPDATE poll_gaps g SET units = CASE WHEN ${STILL} > 0 THEN ${STILL} ELSE units END,
    repaired_at = CASE WHEN ${STILL} > 0 THEN NULL ELSE $2::timestamptz END
  WHERE cycle_id = ANY($1::bigint[]) AND unit IS NULL AND repaired_at IS NULL`;

/** A unit of a cycle that was stored. */
export interface StoredUnit {
  cycleId: bigint;
  pollster: string;
  unit: string;
}

/** A cumulative counter that is read again says what it had come to meanwhile. */
export async function carryOn(tx: PoolClient, units: readonly StoredUnit[]): Promise<void> {
  if (units.length === 0 || !await hasOpenCounters(tx)) return;
  await tx.query({
    name: 'carry_gaps',
    text: `UPDATE poll_gaps g SET carried_by = least(now.cycle, g.carried_by)
           FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t(cycle_id, pollster, unit)
           JOIN poll_cycles now ON now.cycle_id = t.cycle_id
           JOIN poll_cycles before ON before.cloud = now.cloud AND before.source = now.source
             AND before.cycle < now.cycle
           WHERE g.cycle_id = before.cycle_id AND g.pollster = t.pollster AND g.unit = t.unit
             AND g.cumulative AND g.repaired_at IS NULL AND g.carried_by IS NULL`,
    values: [
      units.map(({ cycleId }) => cycleId),
      units.map(({ pollster }) => pollster),
      units.map(({ unit }) => unit),
    ],
  });
}

/**
 * The same of gaps that are only counted, as those of a cycle that nobody polled: by a cycle that could
 * list the units and has read as many of them. Which of them are others cannot be told.
 */
export async function carryOnCounted(
  tx: PoolClient,
  cycleId: bigint,
  end: PollEnd,
): Promise<void> {
  const listed = end.pollsters.filter((one) => one.listed).map(({ name }) => name);
  if (listed.length === 0 || !await hasOpenCounters(tx)) return;
  await tx.query({
    name: 'carry_counted_gaps',
    text: `UPDATE poll_gaps g SET carried_by = now.cycle
           FROM poll_cycles now
           JOIN poll_units u ON u.cycle_id = now.cycle_id
           JOIN poll_cycles before ON before.cloud = now.cloud AND before.source = now.source
             AND before.group_no = now.group_no AND before.cycle < now.cycle
           WHERE now.cycle_id = $1 AND u.pollster = ANY($2)
             AND g.cycle_id = before.cycle_id AND g.pollster = u.pollster AND g.unit IS NULL
             AND g.units <= u.units
             AND g.cumulative AND g.repaired_at IS NULL AND g.carried_by IS NULL`,
    values: [cycleId, listed],
  });
}

async function hasOpenCounters(tx: PoolClient): Promise<boolean> {
  const found = await tx.query(
    `SELECT 1 FROM poll_gaps
     WHERE repaired_at IS NULL AND carried_by IS NULL AND cumulative LIMIT 1`,
  );
  return found.rowCount !== 0;
}
