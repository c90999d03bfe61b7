import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { compileRegex, parseReplacement } from '../../meters/path_regex.ts';

// That it matches what Python's `re` matches is shown in test/conformance/ceilometer_paths_test.ts.

test('compileRegex matches event types as Ceilometer writes them', () => {
  const pattern = compileRegex('compute.instance.(?!create.start|update).*');
  assert.equal(pattern.matchesStart('compute.instance.create.end'), true);
  assert.equal(pattern.matchesStart('compute.instance.create.start'), false);
  assert.equal(pattern.matchesStart('compute.instance.update'), false);
  assert.equal(pattern.matchesStart('x.compute.instance.exists'), false);
});

test('compileRegex stops patterns that backtrack without end', () => {
  const hostile = [
    '(a+)+$',
    '(a|a)*$',
    '(a*)*b',
    '(.*)*(.*)*(.*)*x',
    '(?:a?){30}a{30}$',
    'a*a*a*a*a*a*b',
    '(a|aa)+$',
  ];
  for (const source of hostile) {
    const pattern = compileRegex(source);
    const text = `${'a'.repeat(400)}!`;
    const started = performance.now();
    try {
      pattern.matchesStart(text);
      pattern.replaceAll(text, ['']);
    } catch (error) {
      assert.ok(isNephoError(error) && error.code === 'definition_failed', String(error));
    }
    assert.ok(performance.now() - started < 2_000, source);
  }
});

test('compileRegex stops at long texts instead of filling the stack', () => {
  const text = 'ab'.repeat(500_000);
  for (const source of ['(ab)*$', '.*', '(?:a|b)*', '[ab]*?$']) {
    try {
      compileRegex(source).matchesStart(text);
    } catch (error) {
      assert.ok(
        isNephoError(error) && error.code === 'definition_failed',
        `${source}: ${String(error)}`,
      );
    }
  }
});

test('a replacement cannot grow without end', () => {
  const text = 'a'.repeat(2_000);
  const long = ['x'.repeat(1_000)];
  assert.throws(
    () => compileRegex('a').replaceAll(text, long),
    (error) => isNephoError(error) && error.code === 'definition_failed',
  );
});

test('compileRegex refuses with the place of the fault', () => {
  const faults: [string, number][] = [
    ['a(b', 1],
    ['a)', 1],
    ['[a', 0],
    ['*', 0],
    ['a{2,1}', 6],
    ['\\q', 0],
    ['(?<name>a)', 0],
    ['a**', 2],
    ['x'.repeat(2_000), 0],
    [`${'('.repeat(60)}${')'.repeat(60)}`, 51],
  ];
  for (const [source, offset] of faults) {
    assert.throws(() => compileRegex(source), (error) => {
      assert.ok(isNephoError(error) && error.code === 'path_invalid', source);
      assert.equal(error.context['offset'], offset, source.slice(0, 40));
      return true;
    });
  }
});

test('compileRegex agrees with the engine of JavaScript on what both mean alike', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '[ab]',
    '[^a]',
    '(a|b)',
    '(?:ab)',
    '(?!b)',
    'ab?',
    'a+?',
    'b{1,2}',
    '(a)|b',
  );
  const subject = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(atom, { minLength: 1, maxLength: 5 }), subject, (atoms, text) => {
      const source = atoms.join('');
      assert.equal(
        compileRegex(source).matchesStart(text),
        new RegExp(`^(?:${source})`).test(text),
        source,
      );
    }),
    { numRuns: 2_000 },
  );
});

test('parseReplacement refuses groups that are not there', () => {
  assert.deepEqual(parseReplacement('<\\1>\\g<n>', '(a)(?P<n>b)'), ['<', 1, '>', 2]);
  for (const text of ['\\2', '\\g<x>', '\\q']) {
    assert.throws(
      () => parseReplacement(text, '(a)'),
      (error) => isNephoError(error) && error.code === 'path_invalid',
    );
  }
});
