import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOfJson } from '../../activities/polling_source.ts';
import { isNephoError } from '../../meters/errors.ts';
import { parsePolling } from '../../meters/polling_parse.ts';
import {
  diffPlan,
  groupOf,
  nominalTimes,
  type PlannedSchedule,
  scheduleId,
  schedulesOf,
} from '../../meters/polling_plan.ts';

function planOf(text: string): PlannedSchedule[] {
  const parsed = parsePolling(text, { file: 'p' });
  assert.ok(parsed.ok);
  return schedulesOf(parsed.config, digestOfJson);
}

const source = (name: string, rest = '') =>
  `  - { name: ${name}, interval: 60, meters: [cpu, 'disk.*']${rest} }\n`;

test('a source has a schedule for each of its groups, with limits below its interval', () => {
  const plan = planOf(`sources:\n${source('compute', ', groups: 3')}`);
  assert.deepEqual(plan.map(({ id }) => id), [
    'poll-openstack-compute-0',
    'poll-openstack-compute-1',
    'poll-openstack-compute-2',
  ]);
  const [first] = plan;
  assert.ok(first !== undefined);
  assert.deepEqual({ ...first, digest: first.digest.length }, {
    id: 'poll-openstack-compute-0',
    cloud: 'openstack',
    source: 'compute',
    group: 0,
    groups: 3,
    everySeconds: 60,
    phaseSeconds: first.phaseSeconds,
    runTimeoutSeconds: 54,
    catchupWindowSeconds: 60,
    overlap: 'BUFFER_ONE',
    digest: 64,
    summary: { meters: 'cpu, disk.*', resources: '', discovery: '', concurrency: '16', expect: '' },
  });
});

// They are in schedules and samples: another result would poll at other times, or by other groups.
test('phases and groups are those that they always were', () => {
  const plan = planOf(`sources:\n${source('compute', ', groups: 3')}`);
  assert.deepEqual(plan.map(({ phaseSeconds }) => phaseSeconds), [18, 14, 59]);
  assert.deepEqual(
    ['a', 'b', '3f0c6e9e-52ad-4a8d-8f6a-6f1c5d0e8f10', 'é'].map((id) => groupOf(id, 4)),
    [3, 0, 0, 2],
  );
});

test('ids are safe and short whatever a source is called, and differ', () => {
  assert.equal(scheduleId('a', 'b', 1), 'poll-a-b-1');
  assert.match(scheduleId('a', 'b c', 1), /^poll-a-b_c~[0-9a-f]{8}-1$/);
  assert.notEqual(scheduleId('a', '计算', 0), scheduleId('a', '网络', 0));
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 128 }), (name) => {
    const id = scheduleId('c'.repeat(64), name.slice(0, 128), 99);
    assert.match(id, /^[A-Za-z0-9._~-]{1,255}$/);
  }));
});

test('the digest tells every change of a source, and none of the order of its keys', () => {
  const digests = [
    source('a'),
    source('a', ', groups: 2'),
    source('a', ', concurrency: 2'),
    source('a', ', resources: [x]'),
    source('a', ', discovery: [x]'),
    source('a', ', expect: [{ meter: cpu, at_least: 1 }]'),
    source('b'),
    `  - { name: a, interval: 60, meters: [cpu, 'disk.?*'] }\n`,
    `  - { name: a, interval: 61, meters: [cpu, 'disk.*'] }\n`,
  ].map((text) => planOf(`sources:\n${text}`)[0]?.digest);
  assert.equal(new Set(digests).size, digests.length);
  const turned = planOf(`sources:\n  - { meters: [cpu, 'disk.*'], interval: 60, name: a }\n`);
  assert.equal(turned[0]?.digest, digests[0]);
});

test('nominal times are multiples of the interval plus the phase, as Temporal has them', () => {
  const schedule = { everySeconds: 60, phaseSeconds: 7 };
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
    const schedule = { everySeconds: every, phaseSeconds: phase };
    const end = (expected.at(-1) ?? after * 1_000) + 1;
    assert.deepEqual(nominalTimes(schedule, after * 1_000 + 1, end), expected);
  }));
});

test('more cycles than anybody looks at are refused', () => {
  assert.throws(
    () => nominalTimes({ everySeconds: 10, phaseSeconds: 0 }, 0, 4e12),
    (error) => isNephoError(error) && error.code === 'too_many_cycles',
  );
});

test('phases are below the interval, and spread over it', () => {
  const texts = Array.from({ length: 200 }, (_, index) => source(`s${index}`)).join('');
  const phases = planOf(`sources:\n${texts}`).map(({ phaseSeconds }) => phaseSeconds);
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

test('diffPlan says what to create, change, remove and leave', () => {
  const before = planOf(`sources:\n${source('gone')}${source('same')}${source('more')}`);
  const after = planOf(
    `sources:\n${source('same')}${source('more', ', groups: 2, concurrency: 5')}${source('new')}`,
  );
  const difference = diffPlan(before, after);
  assert.deepEqual(difference.create.map(({ id }) => id), [
    'poll-openstack-more-1',
    'poll-openstack-new-0',
  ]);
  assert.deepEqual(difference.remove.map(({ id }) => id), ['poll-openstack-gone-0']);
  assert.deepEqual(difference.unchanged.map(({ id }) => id), ['poll-openstack-same-0']);
  assert.deepEqual(
    difference.change.map(({ schedule, fields }) => ({ id: schedule.id, fields })),
    [{
      id: 'poll-openstack-more-0',
      fields: [
        { field: 'groups', before: 1, after: 2 },
        { field: 'concurrency', before: '16', after: '5' },
      ],
    }],
  );
});

test('a plan applied is a plan without a difference', () => {
  const plan = planOf(`sources:\n${source('a', ', groups: 3')}${source('b')}`);
  const { create, change, remove } = diffPlan(plan, plan);
  assert.deepEqual([create, change, remove], [[], [], []]);
});

test('diffPlan tells a change that no summary shows by the digest, and what a schedule lacks', () => {
  const long = (last: string) =>
    planOf(
      `sources:\n  - { name: a, interval: 60, meters: [${
        Array.from({ length: 50 }, (_, i) => `meter.${i}`).join(', ')
      }, ${last}] }`,
    );
  const [wanted] = long('x');
  assert.ok(wanted !== undefined);
  const { change } = diffPlan(long('y'), [wanted]);
  assert.deepEqual(change[0]?.fields.map(({ field }) => field), ['meters']);
  assert.match(String(change[0]?.fields[0]?.after), /^meter\.0, .*… \(51, [0-9a-f]{8}\)$/);
  const other = diffPlan([{ ...wanted, digest: 'f'.repeat(64) }], [wanted]);
  assert.deepEqual(other.change[0]?.fields, [
    { field: 'digest', before: 'f'.repeat(64), after: wanted.digest },
  ]);
  const bare = diffPlan([{ id: wanted.id }], [wanted]);
  assert.deepEqual(bare.change[0]?.fields.find(({ field }) => field === 'everySeconds'), {
    field: 'everySeconds',
    before: null,
    after: 60,
  });
});
