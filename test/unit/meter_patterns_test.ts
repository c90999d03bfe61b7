import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { compileMeterPatterns } from '../../meters/meter_patterns.ts';
import { compileShellPattern } from '../../meters/shell_pattern.ts';

const FNMATCH = fileURLToPath(new URL('../conformance/shell_patterns.py', import.meta.url));
const PROBE = 'import sys; sys.exit(sys.version_info < (3, 10))';
const withoutPython = spawnSync('python3', ['-c', PROBE]).status === 0
  ? false
  : 'python3 of 3.10 or later is not installed';

/** Few characters, so that sets, ranges and negations come about and names match. */
const character = fc.constantFrom('a', 'b', 'c', '-', '!', ']', '^', '\\', '&', '|', '~', '𝒳');
const name = fc.string({ unit: character, maxLength: 4 });
const set = fc.string({ unit: character, maxLength: 6 }).map((members) => `[${members}]`);
const pattern = fc.array(fc.oneof(character, set, fc.constantFrom('*', '?', '[')), { maxLength: 4 })
  .map((pieces) => pieces.join(''));

test('compileShellPattern decides as fnmatch of Python does', { skip: withoutPython }, () => {
  const pairs = fc.sample(fc.tuple(pattern, name), { numRuns: 1_500, seed: 4 });
  const run = spawnSync('python3', [FNMATCH], {
    input: JSON.stringify(pairs),
    encoding: 'utf8',
    maxBuffer: 1024 * 1024,
  });
  assert.equal(run.status, 0, run.stderr);
  const answers: (boolean | null)[] = JSON.parse(run.stdout);
  const differing = pairs.filter(([text, name], index) =>
    answers[index] !== null && compileShellPattern(text).matches(name) !== answers[index]
  );
  assert.deepEqual(differing, []);
  assert.ok(answers.filter((answer) => answer === true).length > 50, 'some of them match');
});

test('a pattern of stars takes no longer for a name that nearly matches', () => {
  const compiled = compileShellPattern(`${'*a'.repeat(120)}b`);
  const started = performance.now();
  assert.equal(compiled.matches('a'.repeat(255)), false);
  assert.ok(performance.now() - started < 500);
});

test('mayMatchAfter and matchesAllAfter are what matches() says of the names that begin so', () => {
  fc.assert(fc.property(pattern, name, name, (text, prefix, rest) => {
    const compiled = compileShellPattern(text);
    const matches = compiled.matches(`${prefix}${rest}`);
    if (matches) assert.ok(compiled.mayMatchAfter(prefix));
    if (!matches) assert.ok(!compiled.matchesAllAfter(prefix));
  }));
});

test('what is excluded is not taken, and the rest is where all patterns exclude', () => {
  const selection = compileMeterPatterns(['!disk.*', '!cpu']);
  assert.deepEqual(
    ['cpu', 'disk.read.bytes', 'disk', 'memory.usage'].map((meter) => selection.wants(meter)),
    [false, false, true, true],
  );
});

test('patterns with a star in front go beside exclusions', () => {
  const selection = compileMeterPatterns(['*.bytes', '!disk.*']);
  assert.deepEqual(
    ['network.incoming.bytes', 'disk.read.bytes', 'cpu'].map((meter) => selection.wants(meter)),
    [true, false, false],
  );
});

test('a meter that ends in a star is taken if one that begins so may be', () => {
  const wants = (patterns: string[]) => compileMeterPatterns(patterns).wants('instance:*');
  for (const patterns of [['*'], ['instance:m1.tiny'], ['instance*'], ['*.tiny'], ['!cpu']]) {
    assert.equal(wants(patterns), true, String(patterns));
  }
  for (const patterns of [['instance'], ['inst'], ['cpu'], ['!instance:*'], ['!inst*'], ['!*']]) {
    assert.equal(wants(patterns), false, String(patterns));
  }
  assert.equal(wants(['*', '!instance:m1.*']), true);
});

test('withoutMeter names the patterns that match nothing', () => {
  const selection = compileMeterPatterns(['cpu', 'cpu_util', 'disk.*', 'instance:m1.tiny', 'x?']);
  assert.deepEqual(selection.withoutMeter(['cpu', 'disk.read.bytes', 'instance:*']), [
    'cpu_util',
    'x?',
  ]);
});
