/** The keeper of windows on a real Temporal and PostgreSQL. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { brokenInvariants } from '../../db/invariants.ts';
import { readHistory } from '../../db/histories.ts';
import { hourOf } from '../../db/window_columns.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { formatMicros, HOUR_MICROS } from '../../meters/timestamp.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { TestKeeper } from '../support/keeper_setup.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const MINUTE = 60_000_000n;
/** More than a child seals at once. */
const HOURS = 30n;

describe('windowKeeper', { skip: windowSkipReason() || temporalSkipReason() }, () => {
  let world: WindowWorld;
  let temporal: FaultTemporal;
  let keeper: TestKeeper;
  const end = hourOf(BigInt(Date.now()) * 1_000n - 15n * MINUTE);
  const first = end - HOURS * HOUR_MICROS;

  before(async () => {
    const present = BigInt(Date.now()) * 1_000n;
    const span = {
      from: formatMicros(present - 40n * 24n * HOUR_MICROS),
      to: formatMicros(present + 40n * 24n * HOUR_MICROS),
    };
    [world, temporal] = await Promise.all([
      WindowWorld.start(Date.now(), span),
      FaultTemporal.start(),
    ]);
    await world.append(
      Array.from({ length: 60 }, (_, n) => sampleAt(first + BigInt(n) * 30n * MINUTE)),
    );
    // A day ahead: no hour is sealed earlier for it.
    world.nowMs = Date.now() + 86_400_000;
    keeper = await TestKeeper.start(temporal, world.deps(), { rounds_per_run: 3 });
  });

  after(async () => {
    await keeper?.stop();
    await temporal?.stop();
    await world?.stop();
  });

  test('seals every hour that is ready, a day at a time, and goes on as new', async () => {
    const { totals, last_run } = await keeper.until(({ totals }) => totals.hours >= Number(HOURS));
    assert.equal(totals.hours, Number(HOURS));
    assert.equal(last_run?.sealed_until, formatMicros(end));
    assert.deepEqual(await brokenInvariants(world.pool), []);
  });

  test('keeps the history of each run that sealed, and names it in the log', async () => {
    const { last_run } = await keeper.until(({ last_run }) => last_run?.history !== null);
    const history = await readHistory(world.pool, last_run?.run_id ?? '');
    assert.equal(Buffer.from(history?.digest ?? []).toString('hex'), last_run?.history);
    assert.equal(history?.workflowType, 'sealWindows');
    const { rows } = await world.pool.query<{ entry: string }>(
      "SELECT entry FROM records WHERE kind = 'seal' ORDER BY position DESC LIMIT 1",
    );
    const seal = parseEntry(rows[0]?.entry ?? '');
    assert.ok(seal.kind === 'seal');
    assert.deepEqual([seal.workflow_id, seal.run_id], [last_run?.workflow_id, last_run?.run_id]);
  });

  test('turns a late sample into a revision at its next look', async () => {
    world.nowMs = Date.now();
    await world.append([sampleAt(first + 5n * MINUTE)]);
    await keeper.handle.signal('look');
    const { totals, last_run } = await keeper.until(({ totals }) => totals.late_samples > 0);
    assert.equal(totals.late_samples, 1);
    assert.equal(totals.revised_windows, 1);
    assert.equal(last_run?.hours, 0);
    assert.deepEqual(await brokenInvariants(world.pool), []);
  });

  test('does nothing while it is paused, and goes on from there', async () => {
    await keeper.handle.signal('pause', 'maintenance');
    await keeper.until(({ mode, reason }) => mode === 'paused' && reason === 'maintenance');
    const { totals } = await keeper.status();
    await world.append([sampleAt(first + 6n * MINUTE)]);
    await keeper.handle.signal('look');
    assert.deepEqual((await keeper.status()).totals, totals);
    await keeper.handle.signal('resume');
    await keeper.until((status) => status.totals.late_samples === totals.late_samples + 1);
  });
});

function sampleAt(at: bigint): WorldSample {
  return {
    origin: String(at),
    meter: 'memory',
    type: 'gauge',
    resource: 'vm-1',
    project: 'p-1',
    at: formatMicros(at),
    volume: '1',
  };
}
