import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { encodeEntry, parseEntry } from '../../ledger/entry.ts';
import { MAX_ENTRY_BYTES } from '../../ledger/entry_size.ts';
import type { KeyEntry } from '../../ledger/key_entry.ts';
import { encodeSampleEntry, type SampleFields } from '../../ledger/sample_entry.ts';
import type { JsonValue } from '../../meters/json.ts';
import { METER_TYPES } from '../../meters/sample.ts';
import { formatMicros } from '../../meters/timestamp.ts';
import { testSample } from '../support/memory_log.ts';

const hex = (digits: number) =>
  fc.string({
    unit: fc.nat(15).map((digit) => digit.toString(16)),
    minLength: digits,
    maxLength: digits,
  });
const text = () => fc.string({ unit: 'binary', maxLength: 40 });
const time = () =>
  fc.bigInt({ min: 0n, max: 250_000_000_000_000_000n }).map((micros) => formatMicros(micros));

const samples: fc.Arbitrary<SampleFields> = fc.record({
  definitions: hex(64),
  id: hex(32),
  index: fc.nat(),
  metadata: hex(64),
  meter: text(),
  origin: text(),
  project_id: fc.option(text()),
  recorded_at: time(),
  resource_id: text(),
  source: text(),
  timestamp: time(),
  type: fc.constantFrom(...METER_TYPES),
  unit: text(),
  user_id: fc.option(text()),
  volume: fc.bigInt().map(String),
});

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

const ENTRY = encodeSampleEntry(testSample(1));

test('encodeSampleEntry is the canonical JSON of the entry', () => {
  fc.assert(fc.property(samples, (fields) => {
    const entry = { ...fields, kind: 'sample', v: 1 } as unknown as JsonValue;
    assert.equal(encodeSampleEntry(fields), canonicalJson(entry));
  }));
});

test('parseEntry gives back what was encoded, from text and from bytes', () => {
  fc.assert(fc.property(samples, (fields) => {
    const encoded = encodeSampleEntry(fields);
    const entry = { ...fields, kind: 'sample', v: 1 };
    assert.deepEqual({ ...parseEntry(encoded) }, entry);
    assert.deepEqual({ ...parseEntry(Buffer.from(encoded)) }, entry);
  }));
});

test('parseEntry gives back archives and histories', () => {
  const archive = {
    kind: 'archive' as const,
    v: 1 as const,
    name: 'samples_2026_10',
    samples: 2_880_000,
    bytes: 20_000_000,
    digest: '5f'.repeat(32),
    recorded_at: '2027-12-31T00:00:00.000000Z',
  };
  assert.deepEqual(parseEntry(encodeEntry(archive)), archive);
  const history = {
    kind: 'history' as const,
    v: 1 as const,
    workflow_id: 'seal-0-2026-10-01T00-24',
    run_id: 'b7f2',
    workflow_type: 'sealWindows',
    events: 17,
    digest: 'a0'.repeat(32),
    recorded_at: '2026-10-02T00:00:00.000000Z',
  };
  assert.deepEqual(parseEntry(encodeEntry(history)), history);
});

test('parseEntry gives back keys and definition sets', () => {
  const key: KeyEntry = {
    kind: 'key',
    v: 1,
    name: 'nepho.example',
    vkey: 'nepho.example+00000000+AA==',
    not_before: '2026-01-31T00:00:00.000000Z',
    overlap_until: null,
    previous: null,
    endorsement: null,
    recorded_at: '2026-01-31T00:00:00.000000Z',
  };
  assert.deepEqual(parseEntry(encodeEntry(key)), key);
  const followed = { ...key, overlap_until: key.not_before, previous: 'a', endorsement: 'b' };
  assert.deepEqual(parseEntry(encodeEntry(followed)), followed);
  const definitions = {
    kind: 'definitions' as const,
    v: 1 as const,
    digest: '0'.repeat(64),
    files: [{ name: 'meters.yaml', sha256: 'f'.repeat(64) }],
    recorded_at: '2026-01-31T00:00:00.000000Z',
  };
  assert.deepEqual(parseEntry(encodeEntry(definitions)), definitions);
});

test('parseEntry refuses every other way of writing the same entry', () => {
  const value = JSON.parse(ENTRY) as Record<string, JsonValue>;
  const others: Record<string, string> = {
    'a space': ENTRY.replace(':', ': '),
    'a newline after it': `${ENTRY}\n`,
    'another order of keys': JSON.stringify({ volume: value['volume'], ...value }),
    'a key twice': ENTRY.replace('{', '{"definitions":"x",'),
    'a number with a point': ENTRY.replace('"index":0', '"index":0.0'),
    'a number with an exponent': ENTRY.replace('"index":0', '"index":0e0'),
    'a negative zero': ENTRY.replace('"index":0', '"index":-0'),
    'an escape that need not be': ENTRY.replace('openstack', String.raw`\u006fpenstack`),
    'a key too many': JSON.stringify({ ...value, zone: 'nova' }),
  };
  for (const [what, other] of Object.entries(others)) {
    assert.notEqual(other, ENTRY, what);
    assert.throws(() => parseEntry(other), code('entry_not_canonical'), what);
  }
});

test('parseEntry refuses records that are no entries', () => {
  const value = JSON.parse(ENTRY) as Record<string, JsonValue>;
  const wrong: Record<string, JsonValue[]> = {
    definitions: ['', 'A'.repeat(64), 'a'.repeat(63), null],
    id: ['a'.repeat(31), 7],
    index: [-1, 0.5, '0', null, 2 ** 53],
    kind: [null, 1],
    meter: [null, 1, ['a']],
    project_id: [1],
    recorded_at: ['2026-01-31T00:00:00Z', '2026-02-30T00:00:00.000000Z', null],
    type: ['counter', null],
    volume: ['1.0', '01', '-0', '1e3', 'NaN', 1, null],
  };
  for (const [key, values] of Object.entries(wrong)) {
    for (const bad of values) {
      const record = canonicalJson({ ...value, [key]: bad });
      assert.throws(
        () => parseEntry(record),
        code('entry_invalid'),
        `${key} ${JSON.stringify(bad)}`,
      );
    }
    const { [key]: _, ...without } = value;
    assert.throws(() => parseEntry(canonicalJson(without)), code('entry_invalid'), key);
  }
  for (const none of ['', '[]', 'null', '"x"', '{', '{}', '\ufeff{}', '{"v":1}']) {
    assert.throws(() => parseEntry(none), code('entry_invalid'), none);
  }
  assert.throws(() => parseEntry(Uint8Array.of(0xff, 0xfe)), code('entry_invalid'));
});

test('parseEntry tells a newer kind or version from a faulty entry', () => {
  assert.throws(() => parseEntry('{"kind":"rating","v":1}'), code('entry_kind_unknown'));
  assert.throws(() => parseEntry(ENTRY.replace('"v":1', '"v":2')), code('entry_kind_unknown'));
  assert.throws(() => parseEntry('{"v":1,"kind":"rating"}'), code('entry_not_canonical'));
});

test('encodeSampleEntry refuses half a surrogate pair and more bytes than a bundle can hold', () => {
  const sample = testSample(0);
  assert.throws(() => encodeSampleEntry({ ...sample, meter: '\ud800' }), code('text_invalid'));
  const rest = Buffer.byteLength(encodeSampleEntry({ ...sample, unit: '' }));
  const longest = encodeSampleEntry({ ...sample, unit: 'x'.repeat(MAX_ENTRY_BYTES - rest) });
  assert.equal(Buffer.byteLength(longest), MAX_ENTRY_BYTES);
  assert.throws(
    () => encodeSampleEntry({ ...sample, unit: 'x'.repeat(MAX_ENTRY_BYTES - rest + 1) }),
    code('entry_too_large'),
  );
  // Each takes one UTF-16 unit, but three bytes.
  assert.throws(
    () => encodeSampleEntry({ ...sample, unit: '☃'.repeat(22_000) }),
    code('entry_too_large'),
  );
});
