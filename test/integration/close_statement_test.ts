/** Statements closed on a real PostgreSQL from hours that were really sealed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { statementBundleOf } from '../../api/statement_bundle.ts';
import { lineWindowsOf } from '../../db/period_windows.ts';
import type { StatementRow } from '../../db/statements.ts';
import { parseStatement } from '../../ledger/statement_document.ts';
import { encodeWindow } from '../../ledger/window_record.ts';
import { verifyStatement } from '../../ledger/verify_statement.ts';
import { createLogReaders } from '../../api/log_reader.ts';
import { BillingWorld, timesBetween } from '../support/billing_world.ts';
import { testSigner } from '../support/test_signer.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const START = '2026-10-07T00:00:00.000000Z';
const END = '2026-10-08T00:00:00.000000Z';
const DAY = { projectId: 'p', period: '2026-10-07', start: START, end: END };

let origins = 0;
function sample(
  of: Partial<WorldSample> & Pick<WorldSample, 'meter' | 'type' | 'at' | 'volume'>,
): WorldSample {
  origins += 1;
  return { origin: `o-${origins}`, resource: 'vm-1', project: 'p', ...of };
}

describe('closeStatement', { skip: windowSkipReason() }, () => {
  let world: BillingWorld;

  before(async () => {
    const windows = await WindowWorld.start(Date.parse('2026-10-10T00:00:00Z'), {
      from: '2026-09-01T00:00:00.000000Z',
      to: '2026-12-01T00:00:00.000000Z',
    });
    world = new BillingWorld(windows);
    await windows.append([
      // 2 GiB for the whole day, read every 30 minutes.
      ...timesBetween(START, '2026-10-08T02:00:00.000000Z', 30)
        .map((at) => sample({ meter: 'memory', type: 'gauge', at, volume: '2' })),
      ...timesBetween(START, END, 60).map((at, index) =>
        sample({ meter: 'bytes', type: 'cumulative', at, volume: String(100 + 7 * index) })
      ),
      ...timesBetween(START, END, 120).map((at) =>
        sample({ meter: 'requests', type: 'delta', at, volume: '1.5', resource: 'lb-1' })
      ),
      sample({
        meter: 'requests',
        type: 'delta',
        at: '2026-10-07T12:00:00.000000Z',
        volume: '5',
        project: 'q',
      }),
      // Never heard of again.
      sample({ meter: 'instance', type: 'gauge', at: '2026-10-07T03:20:00.000000Z', volume: '1' }),
    ]);
    await world.seal('2026-10-08T02:00:00.000000Z');
    await world.open(DAY);
  });
  after(() => world.windows.stop());

  async function recordsOf(row: StatementRow, line: number): Promise<string[]> {
    const parts = { db: world.windows.pool, rules: world.windows.rules };
    const document = parseStatement(row.document);
    const page = { limit: 10_000, after: null };
    const windows = await lineWindowsOf(parts, { document, line }, page);
    return (windows ?? []).map(({ record }) => encodeWindow(record));
  }

  async function bundleOf(row: StatementRow): Promise<string> {
    const db = world.windows.pool;
    const deps = { db, archives: null, openLog: createLogReaders(db, null) };
    return await statementBundleOf(deps, row, { role: 'operator', keyId: 'test' });
  }

  test('sums the sealed windows of a project by meter and resource', async () => {
    const closed = await world.close(
      await world.order({ project_id: 'p', period: DAY.period, number: 0 }),
    );
    assert.deepEqual(
      { ...closed, digest: closed?.digest.length },
      {
        number: 0,
        digest: 64,
        lines: 4,
        gaps: 1,
        event: 'statement.final',
        deliveries: [],
        is_revised: false,
      },
    );
    const document = await world.document('p', DAY.period, 0);
    assert.deepEqual(
      document.lines.map((
        { meter, resource_id, quantity, usage_unit, samples, flags },
      ) => [meter, resource_id, quantity, usage_unit, samples, flags]),
      [
        ['bytes', 'vm-1', '161', 'B', 24, []],
        ['instance', 'vm-1', '4', 'GiB·h', 1, ['expired']],
        ['memory', 'vm-1', '48', 'GiB·h', 48, []],
        ['requests', 'lb-1', '18', 'B', 12, []],
      ],
    );
    assert.deepEqual(document.totals.map(({ meter, quantity }) => [meter, quantity]), [
      ['bytes', '161'],
      ['instance', '4'],
      ['memory', '48'],
      ['requests', '18'],
    ]);
  });

  test('says that an instance of which nothing more was heard ran out', async () => {
    const { gaps } = await world.document('p', DAY.period, 0);
    assert.deepEqual(gaps, [{
      meter: 'instance',
      resource_id: 'vm-1',
      from: '2026-10-07T07:20:00.000000Z',
      to: END,
      reason: 'expired',
    }]);
  });

  test('gives each number once, whatever is tried again', async () => {
    const before = await world.stored('p', DAY.period, 0);
    world.windows.nowMs += 60_000;
    const order = await world.order({ project_id: 'p', period: DAY.period, number: 0 });
    const again = await Promise.all([1, 2, 3].map(() => world.close(order)));
    assert.deepEqual(again.map((closed) => closed?.digest), [1, 2, 3].map(() => before.digest));
    assert.deepEqual(await world.stored('p', DAY.period, 0), before);
    await assert.rejects(world.close({ ...order, number: 2 }), { code: 'statement_out_of_turn' });
    await assert.rejects(world.close({ ...order, period: '2026-10-06' }), {
      code: 'period_unknown',
    });
  });

  test('has no amendment while no quantity differs', async () => {
    assert.equal(
      await world.close(await world.order({ project_id: 'p', period: DAY.period, number: 1 })),
      null,
    );
  });

  test('is proven by its bundle, and each line by its windows', async () => {
    const row = await world.stored('p', DAY.period, 0);
    const bundle = await bundleOf(row);
    const windows = await Promise.all([0, 1, 2, 3].map(async (line) => ({
      line,
      records: await recordsOf(row, line),
    })));
    const verdict = await verifyStatement(bundle, { vkeys: [testSigner().vkey], windows });
    assert.ok(verdict.ok, JSON.stringify(verdict));
    assert.equal(verdict.digest, row.digest);
    const other = windows.map(({ line, records }) => ({ line, records: records.slice(1) }));
    const refused = await verifyStatement(bundle, { vkeys: [testSigner().vkey], windows: other });
    assert.ok(!refused.ok && refused.step === 'windows');
  });

  test('cuts hours exactly where a zone begins its day at half past', async () => {
    // 2026-10-08 of Kolkata begins at 18:30 of UTC; the samples are every 30 minutes, at :00 and :30.
    const kolkata = { ...DAY, zone: 'Asia/Kolkata' };
    const parts = [
      {
        ...kolkata,
        period: 'before',
        start: '2026-10-07T00:00:00.000000Z',
        end: '2026-10-07T18:30:00.000000Z',
      },
      {
        ...kolkata,
        period: 'after',
        start: '2026-10-07T18:30:00.000000Z',
        end: '2026-10-08T00:00:00.000000Z',
      },
    ];
    for (const part of parts) {
      await world.open(part);
      await world.close(await world.order({ project_id: 'p', period: part.period, number: 0 }));
    }
    const [before, after] = await Promise.all(
      parts.map(({ period }) => world.document('p', period, 0)),
    );
    const quantities = (document = before) =>
      document?.lines.map((
        { meter, quantity, samples, flags },
      ) => [meter, quantity, samples, flags]);
    assert.deepEqual(quantities(before), [
      ['bytes', '126', 19, ['cut_hours']],
      ['instance', '4', 1, ['expired']],
      ['memory', '37', 37, ['cut_hours']],
      ['requests', '15', 10, ['cut_hours']],
    ]);
    assert.deepEqual(quantities(after), [
      ['bytes', '35', 5, []],
      ['memory', '11', 11, ['cut_hours']],
      ['requests', '3', 2, []],
    ]);
    const row = await world.stored('p', 'after', 0);
    const records = await recordsOf(row, 1);
    const verdict = await verifyStatement(await bundleOf(row), {
      vkeys: [testSigner().vkey],
      windows: [{ line: 1, records }],
    });
    assert.ok(verdict.ok, JSON.stringify(verdict));
  });

  test('sums by meter where that was agreed, and leaves meters out', async () => {
    await world.open({ ...DAY, period: 'grouped', groupBy: 'meter', meters: ['*', '!re*'] });
    await world.close(await world.order({ project_id: 'p', period: 'grouped', number: 0 }));
    const { lines } = await world.document('p', 'grouped', 0);
    assert.deepEqual(
      lines.map(({ meter, resource_id, quantity }) => [meter, resource_id, quantity]),
      [
        ['bytes', null, '161'],
        ['instance', null, '4'],
        ['memory', null, '48'],
      ],
    );
  });

  test('lists what polling did not get of a project, and what nobody has accounted for', async () => {
    const { pool } = world.windows;
    const cycle = (n: number) => timesBetween('2026-10-07T10:00:00.000000Z', END, 10)[n];
    await pool.query(
      `INSERT INTO poll_sources (cloud, name, spec, digest, interval_seconds, groups, applied_at, checked_until)
       VALUES ('c', 'vms', '{}', '', 600, 1, $1, $2)`,
      ['2026-10-01T00:00:00.000000Z', '2026-10-07T23:00:00.000000Z'],
    );
    const gap = async (n: number, changes: Record<string, unknown> = {}) => {
      const { rows } = await pool.query<{ cycle_id: bigint }>(
        `INSERT INTO poll_cycles (cloud, source, group_no, cycle, log_id) VALUES ('c', 'vms', 0, $1, 0)
         ON CONFLICT (cloud, source, cycle, group_no) DO UPDATE SET log_id = 0 RETURNING cycle_id`,
        [cycle(n)],
      );
      const { unit = 'vm-1', meters = ['memory'], reason = 'timeout', repaired, carried } = changes;
      await pool.query(
        `INSERT INTO poll_gaps (gap_key, cycle_id, pollster, unit, units, meters, cumulative, reason, detail,
           recorded_at, repaired_at, carried_by)
         VALUES (gen_random_uuid(), $1, 'x', $2, 1, $3, false, $4, '', $5, $6, $7)`,
        [rows[0]?.cycle_id, unit, meters, reason, cycle(n), repaired, carried],
      );
    };
    // Two cycles in a row, and one apart; of two meters, of which the project has one.
    for (const n of [0, 1, 5]) await gap(n, { meters: ['memory', 'elsewhere'] });
    await gap(8, { unit: null, meters: ['*'], reason: 'worker_away' });
    await gap(10, { unit: 'vm-of-another' });
    await gap(12, { repaired: cycle(13) });
    await gap(14, { carried: cycle(15) });
    await world.open({ ...DAY, period: 'gaps', meters: ['memory'] });
    await world.close(await world.order({ project_id: 'p', period: 'gaps', number: 0 }));
    const { gaps } = await world.document('p', 'gaps', 0);
    const shown = gaps.map((
      { meter, resource_id, from, to, reason },
    ) => [meter, resource_id, from.slice(11, 16), to.slice(11, 16), reason]);
    assert.deepEqual(shown, [
      ['*', null, '23:00', '00:00', 'unaccounted'],
      ['memory', null, '11:20', '11:30', 'worker_away'],
      ['memory', 'vm-1', '10:00', '10:20', 'timeout'],
      ['memory', 'vm-1', '10:50', '11:00', 'timeout'],
    ]);
  });

  test('makes the same document of the same sizes, whatever came since', async () => {
    await world.open({ ...DAY, period: 'fixed' });
    const order = await world.order({ project_id: 'p', period: 'fixed', number: 0 });
    await world.windows.append([
      sample({ meter: 'memory', type: 'gauge', at: '2026-10-08T02:10:00.000000Z', volume: '9' }),
    ]);
    await world.seal('2026-10-08T03:00:00.000000Z');
    const closed = await world.close(order);
    const other = await world.document('p', DAY.period, 0);
    const document = await world.document('p', 'fixed', 0);
    assert.deepEqual(document.lines, other.lines);
    assert.equal(closed?.digest.length, 64);
    assert.equal(document.covers[0]?.size, order.sizes[0]);
  });
});
