import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ceilometerSignature,
  signedMeteringMessage,
  verifyCeilometerSignature,
} from '../../ledger/ceilometer_signature.ts';
import { pythonBytesRepr, pythonStr, sortedEntries } from '../../ledger/python_str.ts';
import { parseNumbersAsText } from '../../meters/exact_json.ts';
import { ExactNumber, isJsonObject, type JsonObject } from '../../meters/json.ts';
import type { Sample } from '../../meters/sample.ts';

const SECRET = 'not-so-secret';

function message(text: string): JsonObject {
  const value = parseNumbersAsText(text);
  assert(isJsonObject(value));
  return value;
}

const CPU = '{"source":"openstack","counter_name":"cpu","counter_type":"cumulative",' +
  '"counter_unit":"ns","counter_volume":1000,"user_id":"u1","user_name":null,"project_id":"p1",' +
  '"project_name":null,"resource_id":"r1","timestamp":"2015-01-01T12:00:00","resource_metadata":' +
  '{"display_name":"vm","flavor":{"id":"1","name":"m1.tiny"},"tags":["a","b"]},' +
  '"message_id":"5460acce-4fd6-480d-ab18-9735ec7b1996","monotonic_time":null}';

/** Computed by ceilometer/publisher/utils.py of Ceilometer 26 with the secret above. */
const VECTORS: readonly [string, string][] = [
  ['{"a":"A","b":"B"}', '698a5f64f76b33a057952a573da6f05582f7539f458c7dcf92b03224272514ed'],
  [
    '{"a":"A","b":"B","nested":{"a":"A","b":"B","c":["c"],"d":["d",1,null,true,{"z":"é","y":1.5}]}}',
    '534a16fd936053f4c7da605a83f67dea4991beebe2d5bc22c27854fb7e26c9dd',
  ],
  [
    '{"a":true,"b":null,"c":1,"d":1.0,"e":1e16,"f":0.1,"g":{},"h":[]}',
    '837ab0e5bae430a100c6532d63c925a32c0868d38c4f5f74be9e543dc40839b4',
  ],
  ['{"aéз":"A","b":"Béз"}', '6c8535825324c656192e11cbf0affdd387b8762d8977c91c9e4645aaedbe03be'],
  [CPU, '0cc61e81ede67199039037794edb7b2785ee6d90cc45d570f4050d57690d7c67'],
];

describe('ceilometerSignature', () => {
  test('gives the signatures that Ceilometer gives', () => {
    for (const [text, signature] of VECTORS) {
      assert.equal(ceilometerSignature(message(text), SECRET), signature, text);
    }
  });

  test('is the same in whatever order the keys stand', () => {
    const [text, signature] = VECTORS[0] ?? ['', ''];
    const reversed = Object.fromEntries(Object.entries(message(text)).toReversed());
    assert.equal(ceilometerSignature(reversed, SECRET), signature);
  });

  test('tells a float from an int, which a double cannot', () => {
    const of = (text: string) => ceilometerSignature(message(text), SECRET);
    assert.notEqual(of('{"counter_volume":1.0}'), of('{"counter_volume":1}'));
    assert.equal(of('{"counter_volume":1.0}'), of('{"counter_volume":1.00}'));
  });

  test('refuses half a surrogate pair, as Python does', () => {
    for (
      const text of [String.raw`{"a":"\ud800"}`, String.raw`{"\udfff":1}`, '{"a":["\\ud800"]}']
    ) {
      assert.throws(() => ceilometerSignature(message(text), SECRET), { code: 'text_invalid' });
    }
  });
});

describe('verifyCeilometerSignature', () => {
  const [, signature] = VECTORS[4] ?? ['', ''];
  const signed = { ...message(CPU), message_signature: signature };

  test('accepts what was signed, and no other content, secret or signature', () => {
    assert(verifyCeilometerSignature(signed, SECRET));
    const changed = { ...signed, counter_volume: new ExactNumber('1001') };
    assert(!verifyCeilometerSignature(changed, SECRET));
    assert(
      !verifyCeilometerSignature({ ...signed, counter_volume: new ExactNumber('1000.0') }, SECRET),
    );
    assert(!verifyCeilometerSignature(signed, 'other'));
    for (let at = 0; at < signature.length; at += 1) {
      const digit = signature[at] === '0' ? '1' : '0';
      const forged = signature.slice(0, at) + digit + signature.slice(at + 1);
      assert(!verifyCeilometerSignature({ ...signed, message_signature: forged }, SECRET));
    }
  });

  test('takes nothing for a signature that is none', () => {
    const { message_signature: _, ...unsigned } = signed;
    assert(!verifyCeilometerSignature(unsigned, SECRET));
    const wrong = [
      '',
      null,
      true,
      [],
      {},
      'é'.repeat(64),
      signature.toUpperCase(),
      `${signature} `,
    ];
    for (const value of wrong) {
      assert(!verifyCeilometerSignature({ ...signed, message_signature: value }, SECRET));
    }
  });

  test('never verifies by an empty secret, where Ceilometer takes everything', () => {
    assert(!verifyCeilometerSignature(signed, ''));
    assert(!verifyCeilometerSignature({ ...signed, message_signature: '' }, ''));
  });
});

describe('Python text', () => {
  test('writes numbers as Python does', () => {
    // Each by `python3 -c 'import json; print(json.loads(TOKEN))'`.
    const cases: [string, string][] = [
      ['0', '0'],
      ['-0', '0'],
      ['-0.0', '-0.0'],
      ['123456789012345678901234567890', '123456789012345678901234567890'],
      ['1.50', '1.5'],
      ['1e0', '1.0'],
      ['1E5', '100000.0'],
      ['123456.789', '123456.789'],
      ['9999999999999998.0', '9999999999999998.0'],
      ['1e16', '1e+16'],
      ['-1.5e300', '-1.5e+300'],
      ['0.0001', '0.0001'],
      ['0.00012345', '0.00012345'],
      ['0.00001', '1e-05'],
      ['5e-324', '5e-324'],
      ['0.30000000000000004', '0.30000000000000004'],
      ['0.1234567890123456789', '0.12345678901234568'],
      ['1e999', 'inf'],
      ['-1e999', '-inf'],
    ];
    for (const [token, expected] of cases) {
      assert.equal(pythonStr(new ExactNumber(token)), expected, token);
    }
  });

  test('writes lists with texts as bytes, quoted and escaped as Python does', () => {
    const list = ["it's", 'say "hi"', `'"`, 'a\\b', '\t\r\n\0\x7f', 'é😀', { z: [], a: {} }, false];
    assert.equal(
      pythonBytesRepr(list),
      String.raw`[b"it's", b'say "hi"', b'\'"', b'a\\b', b'\t\r\n\x00\x7f', ` +
        String.raw`b'\xc3\xa9\xf0\x9f\x98\x80', {b'a': {}, b'z': []}, False]`,
    );
  });

  test('sorts by code points, where JavaScript sorts by UTF-16 units', () => {
    const keys = ['\u{1f600}', '\uff5e', 'a', '\ud7ff', '\u{10ffff}', 'ab'];
    const sorted = sortedEntries(Object.fromEntries(keys.map((key) => [key, 0])));
    assert.deepEqual(
      sorted.map(([key]) => key),
      ['a', 'ab', '\ud7ff', '\uff5e', '\u{1f600}', '\u{10ffff}'],
    );
  });
});

describe('signedMeteringMessage', () => {
  const sample: Sample = {
    id: '0123456789abcdef0123456789abcdef',
    source: 'openstack',
    meter: 'cpu',
    type: 'cumulative',
    unit: 'ns',
    volume: '12345678901234567890.5',
    resource_id: 'r1',
    project_id: 'p1',
    user_id: null,
    timestamp: '2026-01-31T23:59:59.123456Z',
    recorded_at: '2026-02-01T00:00:01.000000Z',
    metadata: { display_name: 'späti ☃', flavor: { ram: 4096, disk: 20.5 }, tags: ['a', 1e21] },
  };

  test('has the published names, all digits of the volume, and a signature that verifies', () => {
    const text = signedMeteringMessage(sample, SECRET);
    assert(text.includes('"counter_volume":12345678901234567890.5,'), text);
    const parsed = message(text);
    assert(verifyCeilometerSignature(parsed, SECRET));
    assert.deepEqual(Object.keys(parsed), [
      'source',
      'counter_name',
      'counter_type',
      'counter_unit',
      'counter_volume',
      'user_id',
      'user_name',
      'project_id',
      'project_name',
      'resource_id',
      'timestamp',
      'resource_metadata',
      'message_id',
      'monotonic_time',
      'message_signature',
    ]);
    assert.equal(parsed['message_id'], '01234567-89ab-cdef-0123-456789abcdef');
    assert.deepEqual(JSON.parse(text).resource_metadata, sample.metadata);
  });
});
