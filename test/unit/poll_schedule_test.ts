import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import {
  cyclesOf,
  groupOf,
  nominalTimes,
  phaseSeconds,
  pollScheduleId,
} from '../../meters/poll_schedule.ts';

const COMPUTE = { cloud: 'openstack', source: 'compute' };

// They are in schedules and samples: another result would poll at other times, or by other groups.
test('phases and groups are those that they always were', () => {
  const phases = [0, 1, 2].map((group) => phaseSeconds({ ...COMPUTE, group }, 60));
  assert.deepEqual(phases, [18, 14, 59]);
  assert.deepEqual(
    ['a', 'b', '3f0c6e9e-52ad-4a8d-8f6a-6f1c5d0e8f10', 'é'].map((id) => groupOf(id, 4)),
    [3, 0, 0, 2],
  );
});

test('ids are safe and short whatever a source is called, and differ', () => {
  const idOf = (source: string, group = 0) => pollScheduleId({ cloud: 'a', source, group });
  assert.equal(idOf('b', 1), 'poll-a-b-1');
  assert.match(idOf('b c', 1), /^poll-a-b_c~[0-9a-f]{8}-1$/);
  assert.notEqual(idOf('计算'), idOf('网络'));
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 128 }), (name) => {
    const source = name.slice(0, 128);
    const id = pollScheduleId({ cloud: 'c'.repeat(64), source, group: 99 });
    assert.match(id, /^[A-Za-z0-9._~-]{1,255}$/);
  }));
});

test('nominal times are multiples of the interval plus the phase, as Temporal has them', () => {
  const schedule = { intervalSeconds: 60, phase: 7 };
  assert.deepEqual(nominalTimes(schedule, 0, 187_000), [7_000, 67_000, 127_000]);
  assert.deepEqual(nominalTimes(schedule, 7_000, 67_001), [7_000, 67_000]);
  assert.deepEqual(nominalTimes(schedule, 7_001, 67_000), []);
  assert.deepEqual(nominalTimes(schedule, 5, 5), []);
  assert.deepEqual(nominalTimes(schedule, 67_000, 7_000), []);
});

/** `nextIntervalTime` of Temporal's server (service/worker/scheduler/spec.go), in seconds. */
function nextOfTemporal(after: number, every: number, phase: number): number {
  return (Math.trunc((after - phase) / every) + 1) * every + phase;
}

test('nominal times are those that Temporal finds one after the other', () => {
  const seconds = fc.integer({ min: 100_000, max: 4_000_000_000 });
  const interval = fc.integer({ min: 10, max: 86_400 });
  fc.assert(fc.property(seconds, interval, fc.nat(), fc.nat(40), (after, every, offset, count) => {
    const phase = offset % every;
    const expected: number[] = [];
    let time = after;
    for (let i = 0; i < count; i += 1) {
      time = nextOfTemporal(time, every, phase);
      expected.push(time * 1_000);
    }
    const schedule = { intervalSeconds: every, phase };
    const end = (expected.at(-1) ?? after * 1_000) + 1;
    assert.deepEqual(nominalTimes(schedule, after * 1_000 + 1, end), expected);
  }));
});

test('the cycles of two spans that meet are those of the whole, none twice', () => {
  const micros = fc.integer({ min: 0, max: 3_600_000_000 });
  const instant = (at: number) =>
    `${new Date(Date.UTC(2026, 1, 1) + Math.trunc(at / 1_000)).toISOString().slice(0, -1)}${
      String(at % 1_000).padStart(3, '0')
    }Z`;
  const name = { ...COMPUTE, group: 1 };
  fc.assert(fc.property(micros, micros, micros, (one, two, three) => {
    const [from = '', middle = '', to = ''] = [one, two, three].sort((a, b) => a - b).map(instant);
    const cycles = (start: string, end: string) => cyclesOf(name, 60, { from: start, to: end });
    assert.deepEqual([...cycles(from, middle), ...cycles(middle, to)], cycles(from, to));
    assert.ok(cycles(from, to).every((cycle) => cycle >= from && cycle < to));
  }));
  assert.deepEqual(
    cyclesOf(name, 60, { from: '2026-02-01T00:00:14.000000Z', to: '2026-02-01T00:02:14.000000Z' }),
    ['2026-02-01T00:00:14.000000Z', '2026-02-01T00:01:14.000000Z'],
  );
});

test('more cycles than anybody looks at are refused', () => {
  assert.throws(
    () => nominalTimes({ intervalSeconds: 10, phase: 0 }, 0, 4e12),
    (error) => isNephoError(error) && error.code === 'too_many_cycles',
  );
});

test('phases are below the interval, and spread over it', () => {
  const phases = Array.from(
    { length: 200 },
    (_, index) => phaseSeconds({ ...COMPUTE, source: `s${index}`, group: 0 }, 60),
  );
  assert.ok(phases.every((phase) => Number.isInteger(phase) && phase >= 0 && phase < 60));
  assert.ok(new Set(phases).size > 45, `${new Set(phases).size} of 60`);
});

const units = Array.from({ length: 4_000 }, (_, index) => `unit-${index}`);

test('groups get about the same number of units', () => {
  for (const groups of [2, 3, 4, 7, 16, 100]) {
    const counts = new Array<number>(groups).fill(0);
    for (const unit of units) counts[groupOf(unit, groups)]! += 1;
    const mean = units.length / groups;
    // Five standard deviations of what chance alone would do.
    const allowed = 5 * Math.sqrt(mean);
    assert.ok(
      counts.every((count) => Math.abs(count - mean) < allowed),
      `${groups}: ${counts.join()}`,
    );
  }
});

test('one group more takes its share of the units, and moves no others', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.string(), (groups, prefix) => {
      const ids = units.slice(0, 1_000).map((unit) => `${prefix}${unit}`);
      const moved = ids.filter((id) => groupOf(id, groups) !== groupOf(id, groups + 1));
      assert.ok(moved.every((id) => groupOf(id, groups + 1) === groups));
      const share = ids.length / (groups + 1);
      assert.ok(Math.abs(moved.length - share) < 6 * Math.sqrt(share) + 1, `${moved.length}`);
    }),
    { numRuns: 40 },
  );
});

test('every unit is in exactly one group, the first one where there is but one', () => {
  fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 100 }), (unit, groups) => {
    const group = groupOf(unit, groups);
    assert.ok(Number.isInteger(group) && group >= 0 && group < groups);
    assert.equal(groupOf(unit, 1), 0);
  }));
});
