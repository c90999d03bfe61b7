import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileMeterPatterns } from '../../meters/meter_patterns.ts';
import { parsePolling } from '../../meters/polling_parse.ts';
import { findCeilometer, runCeilometer } from '../support/ceilometer.ts';

const missing = findCeilometer();
const skip = missing ?? false;

const NAMES = ['cpu', 'cpu_util', 'disk.read.bytes', 'disk.device.read.bytes', 'instance:m1', 'x'];
const pattern = fc.oneof(
  fc.constantFrom('*', '*.bytes', '*x', 'cpu', 'cpu*', 'disk.*', 'disk.[!d]*', 'instance:??', 'x'),
  fc.constantFrom('!cpu', '!disk.*', '!*.bytes', '!x', '!*', '[x]'),
);
const sources = fc.array(pattern, { minLength: 1, maxLength: 4 });

test('a source takes the meters, or is refused, as by Ceilometer', { skip }, () => {
  const cases = fc.sample(sources, { numRuns: 300, seed: 11 });
  const output = runCeilometer(
    'ceilometer_polling.py',
    [],
    JSON.stringify(cases.map((meters) => [meters, NAMES])),
  );
  const theirs: (boolean[] | null)[] = JSON.parse(output);
  const ours = cases.map((meters) => {
    const text = JSON.stringify({ sources: [{ name: 's', interval: 60, meters }] });
    const parsed = parsePolling(text, { file: 'p' });
    const selection = compileMeterPatterns(meters);
    return parsed.ok ? NAMES.map((name) => selection.wants(name)) : null;
  });
  assert.deepEqual(ours, theirs);
  assert.ok(theirs.includes(null) && theirs.some((each) => each?.includes(true)));
});
