import assert from 'node:assert/strict';
import test from 'node:test';
import { usageGroups } from '../../cli/usage.ts';
import { asOfOf, asOfText } from '../../cli/as_of_option.ts';
import { rangeOf, shortTime } from '../../cli/usage_range.ts';

const NOW = Date.UTC(2026, 9, 7, 10, 30);

test('a date on the command line begins where the zone says, a time where it says itself', () => {
  const zone = 'Europe/Berlin';
  assert.deepEqual(rangeOf({ from: '2026-10-25', to: '2026-10-26', zone }, NOW), {
    from: '2026-10-24T22:00:00.000000Z',
    to: '2026-10-25T23:00:00.000000Z',
  });
  assert.equal(
    rangeOf({ from: '2026-10-25T00:00:00+02:00', zone }, NOW).from,
    '2026-10-24T22:00:00.000000Z',
  );
});

test('the range is this month in the zone until now unless told', () => {
  assert.deepEqual(rangeOf({ zone: 'Asia/Tokyo' }, NOW), {
    from: '2026-09-30T15:00:00.000000Z',
    to: '2026-10-07T10:30:00.000000Z',
  });
});

test('an unknown zone and a time that is none are told', () => {
  assert.throws(() => rangeOf({ zone: 'Europe/Brelin' }, NOW), { code: 'zone_unknown' });
  assert.throws(() => rangeOf({ zone: 'UTC', from: 'yesterday' }, NOW), {
    code: 'timestamp_invalid',
  });
});

test('as-of is an instant or checkpoints, which are written as they are read', () => {
  assert.deepEqual(asOfOf('2026-10-07'), { instant: '2026-10-07T00:00:00.000000Z' });
  const text = 'nepho.example/log/0@12,nepho.example/log/1@345';
  const checkpoints = [
    { origin: 'nepho.example/log/0', size: 12 },
    { origin: 'nepho.example/log/1', size: 345 },
  ];
  assert.deepEqual(asOfOf(text), { checkpoints });
  assert.equal(asOfText(checkpoints), text);
  for (const wrong of ['soon', 'a@0', 'a@b', '@1', 'a@1,,b@2']) {
    assert.throws(() => asOfOf(wrong), /neither a time nor checkpoints/, wrong);
  }
});

test('groups have short names, paths of metadata their own', () => {
  assert.deepEqual(usageGroups('project, metadata.flavor.name,project_id'), [
    'project_id',
    'metadata.flavor.name',
  ]);
  assert.throws(() => usageGroups('flavor'), /none of project/);
  assert.throws(() => usageGroups('metadata.'), /none of project/);
});

test('a time is shown without a fraction of zero', () => {
  assert.equal(shortTime('2026-10-07T00:00:00.000000Z'), '2026-10-07T00:00:00Z');
  assert.equal(shortTime('2026-10-07T00:00:00.000001Z'), '2026-10-07T00:00:00.000001Z');
});
