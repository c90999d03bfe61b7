import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { leafHash, rootFromInclusion } from '../../ledger/merkle.ts';
import { proveWindow, windowsRoot } from '../../ledger/prove_window.ts';
import { parseWindowBundle } from '../../ledger/window_bundle.ts';
import { encodeWindow, parseWindow, type WindowRecord } from '../../ledger/window_record.ts';
import type { JsonValue } from '../../meters/json.ts';
import { METER_TYPES } from '../../meters/sample.ts';
import { formatMicros } from '../../meters/timestamp.ts';
import { naivePath, naiveRoot } from '../support/naive_merkle.ts';
import { EMPTY_WINDOW, usageVectors } from '../support/usage_vectors.ts';

const VECTORS = await usageVectors();
const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

const text = () => fc.string({ unit: 'binary', maxLength: 30 });
const decimal = () => fc.bigInt().map(String);
const micros = () => fc.bigInt({ min: 0n, max: 250_000_000_000_000_000n });
const timed = () => fc.record({ at: micros().map(formatMicros), volume: decimal() });

/** Any window record, with samples or without. */
const windows: fc.Arbitrary<WindowRecord> = fc.record({
  meter: text(),
  type: fc.constantFrom(...METER_TYPES),
  unit: text(),
  project_id: fc.option(text()),
  user_id: fc.option(text()),
  resource_id: text(),
  source: text(),
  from: micros(),
  micros: fc.bigInt({ min: 1n, max: 3_600_000_000n }),
  revision: fc.nat(),
  samples: fc.option(
    fc.record({
      count: fc.integer({ min: 1 }),
      min: decimal(),
      max: decimal(),
      first: timed(),
      last: timed(),
    }),
  ),
  carry: fc.option(fc.tuple(timed(), fc.boolean())),
  sums: fc.array(decimal(), { minLength: 5, maxLength: 5 }),
  resets: fc.nat(),
  expired: fc.boolean(),
  ended: fc.boolean(),
}).map(({ from, micros: length, samples, carry, sums, ...rest }) => ({
  kind: 'window',
  v: 1,
  ...rest,
  start: formatMicros(from),
  end: formatMicros(from + length),
  ...samples ?? { count: 0, min: null, max: null, first: null, last: null },
  carry: carry === null ? null : { ...carry[0], ended: carry[1] },
  sum: sums[0] ?? '',
  sum_squares: sums[1] ?? '',
  increase: sums[2] ?? '',
  integral: sums[3] ?? '',
  covered: sums[4] ?? '',
  steps_back: 0,
}));

test('encodeWindow is the canonical JSON of the record, and parseWindow gives the record back', () => {
  fc.assert(fc.property(windows, (window) => {
    const encoded = encodeWindow(window);
    assert.equal(encoded, canonicalJson(window as unknown as JsonValue));
    // Through JSON, since records of fast-check have no prototype.
    assert.deepEqual(parseWindow(encoded), JSON.parse(JSON.stringify(window)));
  }));
});

test('parseWindow refuses other texts of a record, and records that are none', () => {
  const [{ record } = { record: '' }] = VECTORS.windows;
  for (
    const [what, other] of [
      ['a space', record.replace(':', ': ')],
      ['a newline', `${record}\n`],
      ['a key too many', record.replace('"v":1', '"v":1,"w":1')],
      ['a key twice', record.replace('{"carry"', '{"carry":null,"carry"')],
      ['a number with a point', record.replace('"count":1', '"count":1.0')],
    ] as const
  ) assert.throws(() => parseWindow(other), code('window_not_canonical'), what);
  const value = JSON.parse(record) as Record<string, JsonValue>;
  const wrong: Record<string, JsonValue[]> = {
    kind: ['seal', null],
    v: [2, '1'],
    type: ['counter'],
    start: ['2026-02-01T00:00:00.000000Z', '2026-01-31'],
    count: [0, -1, 0.5, null],
    sum: ['1.0', '-0', 1],
    min: [null, 'x'],
    first: [null, 1, {}],
    carry: [1, { at: value['start'] ?? null, volume: '1' }],
    expired: [0, 'true'],
    covered: [null],
  };
  for (const [key, values] of Object.entries(wrong)) {
    for (const bad of values) {
      assert.throws(
        () => parseWindow(canonicalJson({ ...value, [key]: bad })),
        code('window_invalid'),
        `${key} ${JSON.stringify(bad)}`,
      );
    }
    const { [key]: _, ...without } = value;
    assert.throws(() => parseWindow(canonicalJson(without)), code('window_invalid'), key);
  }
});

test('proofs of windows lead to the root, by the model of RFC 6962, at every size and place', async () => {
  const leaves = Array.from(
    { length: 20 },
    (_, revision) => leafHash(encodeWindow({ ...EMPTY_WINDOW, revision })),
  );
  assert.deepEqual(Buffer.from(windowsRoot([])), naiveRoot([]));
  for (let size = 1; size <= leaves.length; size += 1) {
    const some = leaves.slice(0, size);
    const root = windowsRoot(some);
    assert.deepEqual(Buffer.from(root), naiveRoot(some));
    for (const [index, hash] of some.entries()) {
      const proof = await proveWindow(some, index);
      assert.deepEqual(proof.map((node) => Buffer.from(node)), naivePath(index, some));
      assert.deepEqual(rootFromInclusion({ index, hash }, size, proof), root);
    }
  }
  await assert.rejects(proveWindow(leaves, 20), code('index_out_of_range'));
  await assert.rejects(proveWindow([], 0), code('index_out_of_range'));
});

test('parseWindowBundle refuses what formatWindowBundle would not write', () => {
  const value = JSON.parse(VECTORS.sealed_bundle) as Record<string, JsonValue>;
  const wrong: Record<string, JsonValue[]> = {
    kind: ['statement_bundle'],
    v: [2],
    place: [-1, '0', null],
    proof: [1, ['AAAA'], [1], Array.from({ length: 54 }, () => 'A'.repeat(43) + '=')],
    window: [null],
    receipt: [null],
  };
  for (const [key, values] of Object.entries(wrong)) {
    for (const bad of values) {
      const text = canonicalJson({ ...value, [key]: bad });
      assert.throws(() => parseWindowBundle(text), code('window_bundle_invalid'), key);
    }
  }
  for (const none of ['', 'null', '[]', '{', 'x'.repeat(4_000_001)]) {
    assert.throws(() => parseWindowBundle(none), code('window_bundle_invalid'));
  }
  const spaced = JSON.stringify(value, null, 1);
  assert.throws(() => parseWindowBundle(spaced), code('window_bundle_not_canonical'));
});
