/** When an hour may be sealed, and that no clock alone decides it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readWatermark, type Watermark } from '../../activities/read_watermark.ts';
import type { IntakeBacklog, WindowDeps } from '../../activities/window_deps.ts';
import { databaseNow } from '../../db/window_keepers.ts';
import { hourOf } from '../../db/window_columns.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../../meters/timestamp.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const GRACE_MS = 900_000;
const DAY_MS = 86_400_000;
const MINUTE = 60_000_000n;

describe('the watermark', { skip: windowSkipReason() }, () => {
  let world: WindowWorld;
  /** A first instant, two hours and a half before the last hour began whose grace is over. */
  let first: string;
  let now: string;
  let ready: string;

  before(async () => {
    const present = BigInt(Date.now()) * 1_000n;
    const from = formatMicros(present - 40n * 24n * HOUR_MICROS);
    const to = formatMicros(present + 40n * 24n * HOUR_MICROS);
    world = await WindowWorld.start(Date.now(), { from, to });
    now = await databaseNow(world.pool);
    const end = hourOf(toMicros(now) - BigInt(GRACE_MS) * 1_000n);
    ready = formatMicros(end);
    first = formatMicros(end - 3n * HOUR_MICROS);
  });

  after(async () => {
    await world?.stop();
  });

  async function look(
    changes: Partial<WindowDeps> = {},
    time: string = now,
  ): Promise<Watermark> {
    return await readWatermark(world.deps(changes), { shard: 0, now: time });
  }

  const backlog = (waits: IntakeBacklog) => ({ backlog: () => Promise.resolve(waits) });

  test('before the first sample nothing is begun', async () => {
    const { sealed_until, ready_until, waiting_for } = await look();
    assert.deepEqual([sealed_until, ready_until], [null, null]);
    assert.deepEqual(waiting_for.map(({ reason }) => reason), ['no_samples']);
    const none = await readWatermark(world.deps(), { shard: 7, now });
    assert.deepEqual(none.waiting_for.map(({ reason }) => reason), ['log_not_begun']);
  });

  test('it begins with the hour of the first sample, and ends with the grace', async () => {
    await world.append([sampleAt(formatMicros(toMicros(first) + 10n * MINUTE))]);
    const mark = await look();
    assert.equal(mark.sealed_until, first);
    assert.equal(mark.ready_until, ready);
    assert.deepEqual(mark.waiting_for, []);
    const longer = await look({
      watermark: { graceMs: GRACE_MS + 4 * 3_600_000, maxWaitMs: 0, everySeconds: 5 },
    });
    assert.deepEqual(longer.waiting_for.map(({ reason }) => reason), ['grace']);
    assert.equal(longer.look_again_seconds, 5);
  });

  test('a clock that is a day ahead seals nothing early: the worker’s, or that of Temporal', async () => {
    world.nowMs = Date.now() + DAY_MS;
    const worker = await look({ nowMs: () => Date.now() + DAY_MS });
    assert.equal(worker.ready_until, ready);
    const temporal = await look({}, formatMicros(toMicros(now) + 24n * HOUR_MICROS));
    assert.equal(temporal.ready_until, ready);
    world.nowMs = Date.now();
  });

  test('a clock of Temporal that is behind holds back', async () => {
    const behind = await look({}, formatMicros(toMicros(now) - 2n * HOUR_MICROS));
    assert.equal(behind.ready_until, formatMicros(toMicros(ready) - 2n * HOUR_MICROS));
  });

  test('what waits in the intake is waited for, unless it was sent after the grace', async () => {
    const unknown = await look(backlog({ messages: 3, oldestMs: null }));
    assert.equal(unknown.ready_until, first);
    assert.deepEqual(unknown.waiting_for, [{
      reason: 'intake',
      detail: '3 messages are in the intake and not in the log',
    }]);
    const oldest = toMicros(first) + HOUR_MICROS + BigInt(GRACE_MS) * 1_000n;
    const old = await look(backlog({ messages: 3, oldestMs: Number(oldest / 1_000n) }));
    assert.equal(old.ready_until, formatMicros(toMicros(first) + HOUR_MICROS));
    const young = await look(backlog({ messages: 3, oldestMs: Number(toMicros(now) / 1_000n) }));
    assert.equal(young.ready_until, ready);
  });

  test('polls that nobody accounted for are waited for, and not for ever', async () => {
    const checked = formatMicros(toMicros(first) + HOUR_MICROS + 20n * MINUTE);
    await world.pool.query(
      `INSERT INTO poll_sources (cloud, name, spec, digest, interval_seconds, groups, applied_at, checked_until)
       VALUES ('openstack', 'compute', '{}', '', 300, 1, $1, $2)`,
      [first, checked],
    );
    const waits = await look();
    assert.equal(waits.ready_until, formatMicros(toMicros(first) + HOUR_MICROS));
    const watermark = { graceMs: GRACE_MS, maxWaitMs: 3_600_000, everySeconds: 60 };
    const waited = await look({ watermark });
    assert.equal(waited.ready_until, formatMicros(toMicros(ready) - HOUR_MICROS));
    await world.pool.query('UPDATE poll_sources SET checked_until = $1', [first]);
    const { waiting_for } = await look();
    assert.deepEqual(waiting_for, [{
      reason: 'polls',
      detail: "It is not known yet whether 'openstack/compute' lack cycles",
    }]);
    await world.pool.query('DELETE FROM poll_sources');
  });

  test('samples of sealed hours are counted as late until they made revisions', async () => {
    const size = (await world.revise()).scanned_to;
    await world.seal({ from: first, to: ready, size });
    await world.append([
      sampleAt(formatMicros(toMicros(first) + 20n * MINUTE)),
      sampleAt(formatMicros(toMicros(ready) + 1n)),
    ]);
    assert.equal((await look()).late, 1);
    const receipt = await world.revise();
    assert.equal(receipt.samples, 1);
    assert.equal((await look()).late, 0);
  });
});

function sampleAt(at: string): WorldSample {
  return {
    origin: at,
    meter: 'memory',
    type: 'gauge',
    resource: 'vm-1',
    project: 'p-1',
    at,
    volume: '1',
  };
}
