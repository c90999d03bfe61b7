import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { ExactNumber, type JsonValue } from '../../meters/json.ts';

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

test('canonicalJson writes the example of RFC 8785 section 3.2.2', () => {
  const value = JSON.parse(String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`) as JsonValue;
  assert.equal(
    canonicalJson(value),
    String
      .raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
});

test('canonicalJson orders keys by UTF-16 units, as RFC 8785 section 3.2.3 shows', () => {
  const value = JSON.parse(String.raw`{
    "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis"
  }`) as JsonValue;
  const written = JSON.parse(canonicalJson(value)) as Record<string, string>;
  // JSON.parse moves integer-like keys to the front, so the order is read from the text.
  const order = [...canonicalJson(value).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual(order, [
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
  assert.equal(Object.keys(written).length, 7);
});

// RFC 8785 appendix B: the bits of a double, and how it is written.
const DOUBLES: [string, string][] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

test('canonicalJson writes the doubles of RFC 8785 appendix B', () => {
  for (const [bits, expected] of DOUBLES) {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(`0x${bits}`));
    assert.equal(canonicalJson(view.getFloat64(0)), expected, bits);
  }
});

test('canonicalJson refuses what JSON does not have', () => {
  const refused: unknown[] = [NaN, Infinity, -Infinity, undefined, 1n, () => 1, [undefined], {
    a: undefined,
  }];
  for (const value of refused) {
    assert.throws(() => canonicalJson(value as JsonValue), code('text_invalid'), String(value));
  }
  assert.throws(() => canonicalJson(Array(2) as JsonValue), code('text_invalid'));
});

test('canonicalJson refuses lone surrogates in values and keys, and keeps pairs', () => {
  for (const text of ['\ud800', 'a\udfffb', '\udc00\ud800', '\ud83d', '\ude00\ud83d\ude00']) {
    assert.throws(() => canonicalJson(text), code('text_invalid'));
    assert.throws(() => canonicalJson({ [text]: 1 }), code('text_invalid'));
    assert.throws(() => canonicalJson([{ a: [text] }]), code('text_invalid'));
  }
  assert.equal(canonicalJson('\ud83d\ude00'), '"😀"');
});

test('canonicalJson keeps a number that no double holds as a string of its digits', () => {
  const value = { big: new ExactNumber('12345678901234567890'), small: 1 };
  assert.equal(canonicalJson(value), '{"big":"12345678901234567890","small":1}');
});

test('canonicalJson writes hostile keys as any others, and changes no prototype', () => {
  const value = JSON.parse('{"constructor":1,"__proto__":{"polluted":true},"a":2}') as JsonValue;
  assert.equal(canonicalJson(value), '{"__proto__":{"polluted":true},"a":2,"constructor":1}');
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('canonicalJson refuses nesting that would exhaust the stack', () => {
  let deep: JsonValue = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  assert.throws(() => canonicalJson(deep), code('too_deep'));
  let wide: JsonValue = 1;
  for (let level = 0; level < 64; level += 1) wide = { a: wide };
  assert.equal(canonicalJson(wide).length, 64 * 6 + 1);
});

test('canonicalJson gives one text for equal values, whatever the order of their keys', () => {
  const shuffled = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value as Record<string, JsonValue>).reverse().map((
        [key, item],
      ) => [key, shuffled(item)]),
    );
  };
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), (any) => {
    const value = any as JsonValue;
    const text = canonicalJson(value);
    assert.equal(canonicalJson(shuffled(value)), text);
    assert.equal(canonicalJson(JSON.parse(text) as JsonValue), text);
    const plain = JSON.parse(JSON.stringify(value)) as JsonValue;
    assert.deepEqual(JSON.parse(text), plain);
  }));
});

test('canonicalJson orders few and many keys alike', () => {
  const keys = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 6 }), { maxLength: 80 });
  fc.assert(fc.property(keys, (some) => {
    const text = canonicalJson(Object.fromEntries(some.map((key) => [key, null])));
    const expected = [...some].sort().map((key) => `${JSON.stringify(key)}:null`);
    assert.equal(text, `{${expected.join(',')}}`);
  }));
});
