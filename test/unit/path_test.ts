import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import { ExactNumber, type JsonValue } from '../../meters/json.ts';
import { compilePath, wayOf } from '../../meters/path.ts';
import { MAX_PATH_STEPS, rootDatum } from '../../meters/path_compile.ts';

const PAYLOAD: JsonValue = {
  size: 5,
  n: null,
  list: [{ name: 'a', value: 1 }, { name: 'b', value: 2.5 }, { name: 'c' }],
  deep: { size: 7 },
};

// What every construct finds is compared with the ancestor's own parser in test/conformance; here are
// the rules that matter most, and what is ours.
const TABLE: readonly [path: string, found: JsonValue[]][] = [
  ['$.size', [5]],
  ['size', [5]],
  ['$', [PAYLOAD]],
  ['missing', []],
  ['n', [null]],
  ['n.more', []],
  ["'size'", [5]],
  ['list[*].name', ['a', 'b', 'c']],
  ['list.[*].value', [1, 2.5]],
  ['list[-1].name', ['c']],
  ['list[0:2].name', ['a', 'b']],
  ['$..size', [5, 7]],
  ["list[?(@.name='b')].value", [2.5]],
  ["list[?name = 'b' & value > 1].name", ['b']],
  ['list[?value].name', ['a', 'b']],
  ['(missing)|(size)', [5]],
  ['deep|list.size', [7]],
  ['$.size * 2 + 3', [25]],
  ['($.size * 2) + 3', [13]],
  ['$.size / 4', [1.25]],
  ['$.size / 3', [new ExactNumber('1.66666666666666666667')]],
  ["'x-' + list[0].name", ['x-a']],
  ['list[0].name + list[1].value', []],
  ['list[0].name.`lower`', ['a']],
  ["'ABC'.`lower`", []],
  ['list.`len`', [3]],
  ['list[\\name].[0].name', ['c']],
  // Beside an operator a bare word is a text, and a whole number makes the other side one.
  ['size + "!"', ['size!']],
  ['list[?value > 2].name', []],
];

test('compilePath finds what the table says', () => {
  for (const [path, found] of TABLE) assert.deepEqual(valuesOf(path, PAYLOAD), found, path);
});

test('compilePath gives the first value that is not null, by either way of evaluation', () => {
  const effort = { steps: MAX_PATH_STEPS };
  assert.equal(compilePath('n|size').first(rootDatum(PAYLOAD), effort), 5);
  assert.equal(compilePath('$.deep.size').first(rootDatum(PAYLOAD), effort), 7);
  assert.equal(compilePath('$.n').first(rootDatum(PAYLOAD), effort), null);
  const element = compilePath('deep').all(rootDatum(PAYLOAD), effort, 1)[0] ?? rootDatum(null);
  assert.equal(compilePath('size').first(element, effort), 7);
  assert.equal(compilePath('$.size').first(element, effort), 5);
});

test('compilePath keeps numbers exact that no double can hold', () => {
  const data = parseExactJson('{"ns": 9223372036854775807, "share": 0.1}');
  assert.deepEqual(valuesOf('$.ns + 1', data), [new ExactNumber('9223372036854775808')]);
  assert.deepEqual(valuesOf('$.ns * 10', data), [new ExactNumber('92233720368547758070')]);
  assert.deepEqual(valuesOf('$.share * 3', data), [0.3]);
  assert.deepEqual(valuesOf('$.ns / 1000000000', data), [new ExactNumber('9223372036.854775807')]);
});

test('compilePath sees the fields that were sent, never those that every object inherits', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'length', 'text']) {
    assert.deepEqual(valuesOf(`$.${name}`, {}), [], name);
    assert.deepEqual(valuesOf(`$.a.${name}`, { a: [1] }), [], name);
    assert.deepEqual(valuesOf(`$.a.${name}`, { a: new ExactNumber('1e400') }), [], name);
    const sent = JSON.parse(`{"${name}": {"x": 1}}`) as JsonValue;
    assert.deepEqual(valuesOf(`$.${name}.x`, sent), [1], name);
    assert.equal(compilePath(`$.${name}.x`).first(rootDatum(sent), { steps: 100 }), 1, name);
  }
});

const FAULTS: readonly [path: string, offset: number][] = [
  ['', 0],
  ['$.', 2],
  ['$.payload.[0', 12],
  ['a b', 2],
  ['a -1', 2],
  ['$.%', 2],
  ['a & b', 2],
  ["'open", 0],
  ['a.`nope`', 2],
  ['a.`split(.,0,1)`', 2],
  ['a.`sub(/(/, x)`', 8],
  ['a[?b >]', 6],
  ['a[1:2:3]', 5],
  [`${'('.repeat(200)}a${')'.repeat(200)}`, 100],
  [`a${' + a'.repeat(150)}`, 400],
  ['a'.repeat(5_000), 0],
];

test('compilePath refuses with the place of the fault and a remedy', () => {
  for (const [path, offset] of FAULTS) {
    assert.throws(() => compilePath(path), (error) => {
      assert.ok(isNephoError(error), path);
      assert.equal(error.code, 'path_invalid', path);
      assert.equal(error.context['offset'], offset, path.slice(0, 60));
      assert.ok(String(error.context['remedy']).length > 3, path);
      return true;
    });
  }
});

test('compilePath reads or refuses any text, and nothing else', () => {
  const words = fc.constantFrom(
    '$',
    '@',
    '.',
    '..',
    '[',
    ']',
    '(',
    ')',
    '?',
    "'",
    '"',
    '`',
    'a',
    '*',
    '0',
    '-1',
    '|',
    '&',
    ' where ',
    '=',
    '~',
    ',',
    '/',
    '\\',
    '+',
    ' - ',
    'true',
    'sub(/a/, b)',
    'split(., 0, 1)',
    '\0',
    'é',
    '😀',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
      try {
        compilePath(parts.join('')).all(rootDatum(PAYLOAD), { steps: 10_000 }, 100);
      } catch (error) {
        assert.ok(isNephoError(error), String(error));
        assert.ok(
          ['path_invalid', 'definition_failed', 'division_by_zero', 'quantity_too_long'].includes(
            error.code,
          ),
        );
      }
    }),
    { numRuns: 3_000 },
  );
});

test('a path that multiplies its way through a notification is stopped', () => {
  const wide = { a: Array.from({ length: 300 }, () => Array.from({ length: 300 }, () => 1)) };
  const path = compilePath('$..[*]..[*]');
  const started = performance.now();
  assert.throws(
    () => path.all(rootDatum(wide), { steps: MAX_PATH_STEPS }, Infinity),
    (error) => isNephoError(error) && error.code === 'definition_failed',
  );
  assert.ok(performance.now() - started < 5_000);
});

test('a repeated text has a bound', () => {
  assert.deepEqual(valuesOf("'x' * $.n", { n: 3 }), ['xxx']);
  assert.deepEqual(valuesOf("'x' * $.n", { n: 1e9 }), []);
});

test('wayOf writes the way as the bitfield plugin expects it', () => {
  const data = { payload: { list: [{ 'a.b': 1 }] } };
  const [datum] = compilePath("$.payload.list[0].'a.b'").all(rootDatum(data), { steps: 100 }, 1);
  assert.ok(datum !== undefined);
  assert.equal(wayOf(datum), 'payload.list.[0].a.b');
});

function valuesOf(path: string, data: JsonValue): JsonValue[] {
  const effort = { steps: MAX_PATH_STEPS };
  return compilePath(path).all(rootDatum(data), effort, Infinity).map(({ value }) => value);
}
