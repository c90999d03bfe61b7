import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import { ExactNumber } from '../../meters/json.ts';
import { MAX_JSON_DEPTH } from '../../meters/limits.ts';
import { parseQuantity } from '../../meters/quantity.ts';
import { parseStrictJson } from '../../meters/strict_json_parser.ts';

const RUNS = { numRuns: 2_000 };
const oneOf = (characters: string) => fc.constantFrom(...characters.split(''));
const digits = (max: number) =>
  fc.string({ unit: oneOf('0123456789'), minLength: 1, maxLength: max });
const numberToken = fc.tuple(
  fc.constantFrom('', '-'),
  digits(25).map((text) => text.replace(/^0+(?=\d)/, '')),
  fc.option(digits(25), { nil: '' }),
  fc.option(fc.integer({ min: -30, max: 30 }), { nil: null }),
).map(([sign, whole, fraction, exponent]) =>
  `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}${
    exponent === null ? '' : `e${exponent}`
  }`
);

describe('parseExactJson', () => {
  test('agrees with JSON.parse on every text without numbers beyond a double', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t\r\n '), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.deepEqual(parseExactJson(text), JSON.parse(text));
        assert.deepEqual(parseStrictJson(text, MAX_JSON_DEPTH), JSON.parse(text));
      }),
      RUNS,
    );
  });

  test('rejects exactly what JSON.parse rejects', () => {
    const damaged = fc.tuple(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.nat(),
      fc.string({
        unit: oneOf('{}[]",:\\u0-+.eE \n\t\0tfn\u00a0\ufeff'),
        maxLength: 3,
      }),
      fc.nat({ max: 3 }),
    ).map(([text, at, insert, remove]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + insert + text.slice(cut + remove);
    });
    fc.assert(
      fc.property(damaged, (text) => {
        const expected = outcome(() => JSON.parse(text));
        assert.deepEqual(outcome(() => withoutExact(parseExactJson(text))), expected);
        assert.deepEqual(
          outcome(() => withoutExact(parseStrictJson(text, MAX_JSON_DEPTH))),
          expected,
        );
      }),
      { numRuns: 10_000 },
    );
  });

  test('keeps every number: as a double where that says the same decimal, else as its text', () => {
    const wrap = fc.constantFrom(
      (token: string) => token,
      (token: string) => `[1,${token}]`,
      (token: string) => `{"a": "x,1", "b" :\n ${token} }`,
    );
    fc.assert(
      fc.property(numberToken, wrap, (token, around) => {
        const value = innermost(parseExactJson(around(token)));
        const exact = parseQuantity(token);
        if (value instanceof ExactNumber) {
          assert.equal(value.text, token);
          assert.notDeepEqual(parseQuantity(String(Number(token))), exact);
        } else {
          assert.deepEqual(parseQuantity(String(value)), exact);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test('knows which numbers a double does not hold', () => {
    for (
      const token of ['9007199254740993', '1e400', '-1E+999', '0.1000000000000000055', '1e-400']
    ) {
      assert.deepEqual(parseExactJson(token), new ExactNumber(token));
      assert.deepEqual(parseExactJson(`{"a":[${token}]}`), { a: [new ExactNumber(token)] });
    }
    const held: [string, number][] = [
      ['9007199254740992', 2 ** 53],
      ['1e3', 1_000],
      ['-0', -0],
      [
        '1795335508.0832477',
        1795335508.0832477,
      ],
      ['1.50000000000000000000', 1.5],
      ['0e999999', 0],
    ];
    for (const [token, value] of held) assert.equal(parseExactJson(token), value);
  });

  test('a number in a text is no number', () => {
    assert.deepEqual(parseExactJson('["a,12345678901234567890", 1]'), [
      'a,12345678901234567890',
      1,
    ]);
  });

  test('says where a text is wrong', () => {
    assert.throws(() => parseExactJson('{"a": 1,\n "b": x}'), {
      code: 'not_json',
      message: 'Cannot read JSON at line 2 column 7: expected a value',
      context: { place: 'line 2 column 7', line: 2, column: 7, offset: 15 },
    });
    for (
      const text of ['', ' ', '{', '[1,]', '{"a"}', '"\\x"', '"\u0001"', '"a', '01', '1.', 'nul']
    ) {
      assert.throws(() => parseExactJson(text), { code: 'not_json' }, text);
    }
  });

  test('takes the allowed depth and not one more, by either parser', () => {
    for (const inner of ['1', '12345678901234567890']) {
      const nest = (depth: number) => '['.repeat(depth) + inner + ']'.repeat(depth);
      assert.ok(Array.isArray(parseExactJson(nest(MAX_JSON_DEPTH))));
      assert.throws(() => parseExactJson(nest(MAX_JSON_DEPTH + 1)), { code: 'too_deep' });
      assert.throws(() => parseStrictJson(nest(MAX_JSON_DEPTH + 1), MAX_JSON_DEPTH), {
        code: 'too_deep',
      });
    }
    // Brackets in a text nest nothing.
    assert.equal(parseExactJson(JSON.stringify('[\\"['.repeat(100))), '[\\"['.repeat(100));
  });

  test('millions of levels are refused at once', () => {
    for (const open of ['[', '{"a":']) {
      const started = performance.now();
      assert.throws(() => parseExactJson(open.repeat(3_000_000)), { code: 'too_deep' });
      assert.ok(performance.now() - started < 1_000);
    }
  });

  test('__proto__ is a key like others', () => {
    for (const number of ['1', '12345678901234567890']) {
      const value = parseExactJson(`{"__proto__": {"admin": ${number}}, "a": {"__proto__": null}}`);
      assert.ok(typeof value === 'object' && value !== null);
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
      assert.ok(Object.hasOwn(value, '__proto__'));
      assert.equal('admin' in value, false);
    }
  });

  test('of equal keys the last wins, by either parser', () => {
    assert.deepEqual(parseExactJson('{"a":1,"a":2}'), { a: 2 });
    assert.deepEqual(parseExactJson('{"a":12345678901234567890,"a":2}'), { a: 2 });
  });
});

function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch (error) {
    assert.ok(error instanceof SyntaxError || isNephoError(error));
    return 'rejected';
  }
}

/** As JSON.parse would have it. */
function withoutExact(value: unknown): unknown {
  if (value instanceof ExactNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(withoutExact);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutExact(item)]));
}

function innermost(value: unknown): unknown {
  if (Array.isArray(value)) return value[1];
  return typeof value === 'object' && value !== null && 'b' in value ? value.b : value;
}
