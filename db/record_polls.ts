/** What is known of polled cycles, written in the transaction that stores their samples. */
import type { PoolClient } from 'pg';
import { assert } from '../meters/assert.ts';
import type { PollEnd, PollHead } from '../meters/poll_message.ts';
import type { PreparedBatch, PreparedGap, PreparedOrigin } from './prepared_batch.ts';

interface Cycle {
  cycleId: bigint;
  head: PollHead;
}

/** By {@link nameOf} of their heads. */
type Cycles = ReadonlyMap<string, Cycle>;

/**
 * Counts the units that are stored for the first time, closes the gaps that they fill, and records the
 * gaps and the ends that the batch tells of. A gap whose readings are in the log already is none.
 */
export async function recordPolls(
  tx: PoolClient,
  logId: number,
  batch: PreparedBatch,
  fresh: readonly PreparedOrigin[],
): Promise<void> {
  const units = fresh.filter((one) => one.poll !== null);
  if (units.length === 0 && batch.polls.length === 0) return;
  const heads = [
    ...units.flatMap(({ poll }) => poll === null ? [] : [poll.head]),
    ...batch.polls.map(({ head }) => head),
  ];
  const cycles = await findOrMakeCycles(tx, logId, heads);
  await countReceived(tx, units, cycles);
  for (const { head, gaps } of batch.polls) {
    await insertGaps(tx, cycleOf(cycles, head).cycleId, gaps, batch.recordedAt);
  }
  // After the gaps of the same batch, which may be those of a cycle before.
  await closeGaps(tx, units, batch.recordedAt);
  await carryOn(tx, units, cycles);
  for (const { head, end } of batch.polls) {
    if (end !== null) await endCycle(tx, cycleOf(cycles, head).cycleId, end, batch.recordedAt);
  }
}

function nameOf({ cloud, source, group, cycle }: PollHead): string {
  return JSON.stringify([cloud, source, group, cycle]);
}

function cycleOf(cycles: Cycles, head: PollHead): Cycle {
  const found = cycles.get(nameOf(head));
  assert(found !== undefined, 'every cycle of a batch has its row');
  return found;
}

async function findOrMakeCycles(
  tx: PoolClient,
  logId: number,
  heads: readonly PollHead[],
): Promise<Cycles> {
  const wanted = [...new Map(heads.map((head) => [nameOf(head), head])).values()];
  const columns = [
    wanted.map((head) => head.cloud),
    wanted.map((head) => head.source),
    wanted.map((head) => head.group),
    wanted.map((head) => head.cycle),
  ];
  await tx.query({
    name: 'make_poll_cycles',
    text: `INSERT INTO poll_cycles (log_id, cloud, source, group_no, cycle)
           SELECT $1, * FROM unnest($2::text[], $3::text[], $4::smallint[], $5::timestamptz[])
           ON CONFLICT (cloud, source, cycle, group_no) DO NOTHING`,
    values: [logId, ...columns],
  });
  const found = await tx.query<{ n: bigint; cycle_id: bigint }>({
    name: 'find_poll_cycles',
    text: `SELECT t.n, c.cycle_id
           FROM unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[])
             WITH ORDINALITY AS t(cloud, source, group_no, cycle, n)
           JOIN poll_cycles c USING (cloud, source, group_no, cycle)`,
    values: columns,
  });
  return new Map(found.rows.flatMap(({ n, cycle_id }) => {
    const head = wanted[Number(n) - 1];
    return head === undefined ? [] : [[nameOf(head), { cycleId: cycle_id, head }] as const];
  }));
}

async function countReceived(
  tx: PoolClient,
  units: readonly PreparedOrigin[],
  cycles: Cycles,
): Promise<void> {
  const samples = new Tally();
  const stored = new Tally();
  for (const { poll } of units) {
    if (poll === null) continue;
    const { cycleId } = cycleOf(cycles, poll.head);
    stored.count(cycleId, poll.pollster);
    for (const meter of poll.meters) samples.count(cycleId, meter);
  }
  await tx.query({
    name: 'count_polled',
    text: `INSERT INTO poll_coverage AS c (cycle_id, meter, received)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[])
           ON CONFLICT (cycle_id, meter) DO UPDATE SET received = c.received + excluded.received`,
    values: samples.columns(),
  });
  await tx.query({
    name: 'count_polled_units',
    text: `INSERT INTO poll_units AS u (cycle_id, pollster, units)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[])
           ON CONFLICT (cycle_id, pollster) DO UPDATE SET units = u.units + excluded.units`,
    values: stored.columns(),
  });
}

/** Counts by cycle and name. */
class Tally {
  readonly #counts = new Map<bigint, Map<string, number>>();

  count(cycleId: bigint, name: string): void {
    let names = this.#counts.get(cycleId);
    if (names === undefined) this.#counts.set(cycleId, names = new Map());
    names.set(name, (names.get(name) ?? 0) + 1);
  }

  columns(): [bigint[], string[], number[]] {
    const rows = [...this.#counts].flatMap(([cycleId, names]) =>
      [...names].map(([name, count]) => ({ cycleId, name, count }))
    );
    return [
      rows.map((row) => row.cycleId),
      rows.map((row) => row.name),
      rows.map((row) => row.count),
    ];
  }
}

/** Of gaps there are few, so the units are looked up in them and not the other way round. */
async function closeGaps(
  tx: PoolClient,
  units: readonly PreparedOrigin[],
  recordedAt: string,
): Promise<void> {
  if (units.length === 0) return;
  await tx.query({
    name: 'close_gaps',
    text: `UPDATE poll_gaps SET repaired_at = $1
           WHERE gap_key = ANY($2::uuid[]) AND repaired_at IS NULL`,
    values: [recordedAt, units.map((one) => one.key)],
  });
}

/** A cumulative counter that is read again says what it had come to meanwhile. */
async function carryOn(
  tx: PoolClient,
  units: readonly PreparedOrigin[],
  cycles: Cycles,
): Promise<void> {
  if (units.length === 0 || !await hasOpenCounters(tx)) return;
  const polls = units.flatMap(({ poll }) => poll === null ? [] : [poll]);
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
      polls.map(({ head }) => cycleOf(cycles, head).cycleId),
      polls.map(({ pollster }) => pollster),
      polls.map(({ unit }) => unit),
    ],
  });
}

async function hasOpenCounters(tx: PoolClient): Promise<boolean> {
  const found = await tx.query(
    `SELECT 1 FROM poll_gaps
     WHERE repaired_at IS NULL AND carried_by IS NULL AND cumulative LIMIT 1`,
  );
  return found.rowCount !== 0;
}

async function insertGaps(
  tx: PoolClient,
  cycleId: bigint,
  gaps: readonly PreparedGap[],
  recordedAt: string,
): Promise<void> {
  if (gaps.length === 0) return;
  // Of two attempts in one cycle the later one knows the reason better; a gap that was closed stays so.
  const once = [...new Map(gaps.map((gap) => [gap.key, gap])).values()];
  await tx.query({
    name: 'insert_gaps',
    text: `INSERT INTO poll_gaps AS g (gap_key, cycle_id, pollster, unit, units, meters, cumulative,
             reason, detail, recorded_at)
           SELECT t.key, $1, t.pollster, t.unit, t.units, string_to_array(t.meters, E'\\n'),
             t.cumulative, t.reason, t.detail, $2
           FROM unnest($3::uuid[], $4::text[], $5::text[], $6::int[], $7::text[], $8::boolean[],
             $9::text[], $10::text[]) AS t(key, pollster, unit, units, meters, cumulative, reason, detail)
           WHERE NOT EXISTS (SELECT 1 FROM origins o WHERE o.key = t.key)
           ON CONFLICT (gap_key) DO UPDATE SET reason = excluded.reason, detail = excluded.detail,
             units = excluded.units
           WHERE g.repaired_at IS NULL`,
    values: [
      cycleId,
      recordedAt,
      once.map((gap) => gap.key),
      once.map((gap) => gap.pollster),
      once.map((gap) => gap.unit),
      once.map((gap) => gap.units),
      once.map((gap) => gap.meters.map(({ name }) => name).join('\n')),
      once.map((gap) => gap.meters.some(({ type }) => type === 'cumulative')),
      once.map((gap) => gap.reason),
      once.map((gap) => gap.detail),
    ],
  });
}

/** Of two attempts the later end stands. What it could list is not missing as a whole any more. */
async function endCycle(
  tx: PoolClient,
  cycleId: bigint,
  end: PollEnd,
  recordedAt: string,
): Promise<void> {
  await tx.query({
    name: 'end_poll_cycle',
    text: `UPDATE poll_cycles SET started_at = least(started_at, $2), ended_at = $3,
             requests = requests + $4, remark_counts = $6, remarks = $7,
             pollsters = $5::jsonb || coalesce((
               SELECT jsonb_agg(old) FROM jsonb_array_elements(pollsters) AS old
               WHERE NOT EXISTS (
                 SELECT 1 FROM jsonb_array_elements($5::jsonb) AS new
                 WHERE new->>'name' = old->>'name')), '[]')
           WHERE cycle_id = $1`,
    values: [
      cycleId,
      end.started_at,
      end.ended_at,
      end.requests,
      JSON.stringify(end.pollsters),
      JSON.stringify(end.remark_counts),
      JSON.stringify(end.remarks),
    ],
  });
  await tx.query({
    name: 'close_listing_gaps',
    text: `UPDATE poll_gaps SET repaired_at = $2
           WHERE cycle_id = $1 AND unit IS NULL AND repaired_at IS NULL AND pollster = ANY($3)
             AND reason <> 'below_expectation'`,
    values: [
      cycleId,
      recordedAt,
      end.pollsters.filter(({ listed }) => listed).map(({ name }) => name),
    ],
  });
}
