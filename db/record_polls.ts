/** What is known of polled cycles, written in the transaction that stores their samples. */
import type { PoolClient } from 'pg';
import { assert } from '../meters/assert.ts';
import type { PollEnd, PollHead } from '../meters/poll_message.ts';
import type { PreparedBatch, PreparedGap, PreparedOrigin } from './prepared_batch.ts';
import {
  carryOn,
  carryOnCounted,
  closeCountedGaps,
  closeGaps,
  insertGaps,
  recount,
} from './record_gaps.ts';

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
  // Before what the units of the same batch close, which may be of an attempt before.
  for (const [cycleId, gaps] of gapsOf(batch, units, cycles)) {
    await insertGaps(tx, cycleId, gaps, batch.recordedAt);
  }
  await closeGaps(tx, units.map(({ key }) => key), batch.recordedAt);
  await carryOn(
    tx,
    units.flatMap(({ poll }) =>
      poll === null ? [] : [{ ...poll, cycleId: cycleOf(cycles, poll.head).cycleId }]
    ),
  );
  for (const { head, end } of batch.polls) {
    if (end !== null) await endCycle(tx, cycleOf(cycles, head).cycleId, end, batch.recordedAt);
  }
  await recount(tx, [...cycles.values()].map(({ cycleId }) => cycleId), batch.recordedAt);
}

/** The gaps that the batch tells of, and those within its units: what another attempt left out is here. */
function gapsOf(
  batch: PreparedBatch,
  units: readonly PreparedOrigin[],
  cycles: Cycles,
): Map<bigint, PreparedGap[]> {
  const found = new Map<bigint, PreparedGap[]>();
  const add = (head: PollHead, gaps: readonly PreparedGap[]): void => {
    if (gaps.length === 0) return;
    const { cycleId } = cycleOf(cycles, head);
    found.set(cycleId, [...found.get(cycleId) ?? [], ...gaps]);
  };
  for (const { head, gaps } of batch.polls) add(head, gaps);
  for (const { poll } of units) if (poll !== null) add(poll.head, poll.missing);
  return found;
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
    for (const { name } of poll.meters) samples.count(cycleId, name);
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

/** Of two attempts the later end stands, but that which could list the units is believed. */
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
             pollsters = (
               SELECT coalesce(jsonb_agg(outcome), '[]') FROM (
                 SELECT DISTINCT ON (outcome->>'name') outcome FROM (
                   SELECT 1 AS attempt, jsonb_array_elements(pollsters) AS outcome
                   UNION ALL SELECT 2, jsonb_array_elements($5::jsonb)
                 ) AS attempts
                 ORDER BY outcome->>'name', (outcome->>'listed')::boolean DESC, attempt DESC
               ) AS chosen)
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
  await closeCountedGaps(tx, cycleId, end, recordedAt);
  await carryOnCounted(tx, cycleId, end);
}
