/** Seals, revisions, statements and their kin as entries: each is read strictly, or refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { encodeEntry, type LogEntry, parseEntry, readKnownEntry } from '../../ledger/entry.ts';
import { gapKey } from '../../ledger/seal_entry.ts';
import { digestOfUsageRules } from '../../ledger/usage_rules_entry.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import { usageVectors } from '../support/usage_vectors.ts';

const VECTORS = await usageVectors();
const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

function textOf(kind: string): string {
  return VECTORS.entries.find((entry) => entry.kind === kind)?.entry ?? '';
}

/** What each field of a kind may not be. */
const WRONG: Record<string, Record<string, JsonValue[]>> = {
  usage_rules: { digest: ['x'], rules: [null, [], 'x'], recorded_at: [null] },
  seal: {
    start: ['2026-01-31T22:59:59.000000Z', '2026-01-31T23:00:00.000001Z', null],
    end: ['2026-02-01T01:00:00.000000Z', '2026-01-31T23:00:00.000000Z', null],
    rows: [-1, null],
    root: ['00', null],
    covers_to: [0.5, null],
    previous: ['0', -1],
    rules: [null],
    definitions: [['x'], ['b'.repeat(64), 'a'.repeat(64)], ['a'.repeat(64), 'a'.repeat(64)], null],
    coverage: [null, {}],
    code: [1],
    workflow_id: [null],
    run_id: [null],
  },
  revision: {
    project_id: [1],
    covers_from: [null],
    covers_to: [null],
    cause: [null, { reason: 'whim', samples: 1, first_leaf: 0, last_leaf: 0 }],
    changes: [[], [1], null],
    rules: [null],
  },
  statement: {
    project_id: [null],
    period: [null],
    number: [-1],
    start: [null],
    digest: [null],
    lines: [null],
    covers: [[1], [{ origin: 'b', size: 1 }, { origin: 'a', size: 1 }], [{ origin: 'a' }], null],
  },
  history: { workflow_type: [null], events: [-1], digest: [null], run_id: [null] },
};

test('every kind gives back what was encoded', () => {
  for (const { entry } of VECTORS.entries) {
    const parsed = parseEntry(entry);
    assert.equal(encodeEntry(parsed), entry);
    assert.deepEqual(parseEntry(Buffer.from(entry)), parsed);
  }
});

test('every field of every kind is held to its form, and must be there', () => {
  for (const [kind, fields] of Object.entries(WRONG)) {
    const value = JSON.parse(textOf(kind)) as JsonObject;
    for (const [key, values] of Object.entries(fields)) {
      const { [key]: _, ...without } = value;
      assert.throws(() => parseEntry(canonicalJson(without)), code('entry_invalid'), key);
      for (const bad of values) {
        const text = canonicalJson({ ...value, [key]: bad });
        const what = `${kind}.${key} ${JSON.stringify(bad)}`;
        assert.throws(() => parseEntry(text), code('entry_invalid'), what);
      }
    }
    const more = canonicalJson({ ...value, more: 1 });
    assert.throws(() => parseEntry(more), code('entry_not_canonical'), kind);
  }
});

test('a field is named by its place when it is inside of another', () => {
  const seal = JSON.parse(textOf('seal')) as { coverage: JsonObject } & JsonObject;
  const coverage = { ...seal.coverage, gap_keys: ['b', 'a'] };
  assert.throws(() => parseEntry(canonicalJson({ ...seal, coverage })), /'coverage\.gap_keys'/);
  const keys = Array.from({ length: 101 }, (_, i) => i.toString(16).padStart(32, '0'));
  const long = canonicalJson({ ...seal, coverage: { ...seal.coverage, gap_keys: keys } });
  assert.throws(() => parseEntry(long), /'coverage\.gap_keys' is too long/);
  const revision = JSON.parse(textOf('revision')) as { changes: JsonObject[] } & JsonObject;
  const changes = revision.changes.map((change) => ({ ...change, revision: 0 }));
  assert.throws(
    () => parseEntry(canonicalJson({ ...revision, changes })),
    /'changes\[0\]\.revision' is 0/,
  );
});

test('the changes of a revision are in order, each once, and no more than fit', () => {
  const revision = JSON.parse(textOf('revision')) as { changes: JsonObject[] } & JsonObject;
  const [first] = revision.changes;
  assert(first !== undefined);
  for (const changes of [revision.changes.toReversed(), [first, first]]) {
    const text = canonicalJson({ ...revision, changes });
    assert.throws(() => parseEntry(text), /'changes' are not in ascending order/);
  }
  const many = Array.from(
    { length: 151 },
    (_, i) => ({ ...first, series: i.toString(16).padStart(32, '0') }),
  );
  const parsed = parseEntry(canonicalJson({ ...revision, changes: many.slice(1) }));
  assert(Buffer.byteLength(encodeEntry(parsed)) <= 65_535, 'as many as are allowed fit');
  const text = canonicalJson({ ...revision, changes: many });
  assert.throws(() => parseEntry(text), /'changes' are not 1 to 150/);
});

test('a kind named like a member of every object is unknown, and nothing else', () => {
  for (const kind of ['constructor', '__proto__', 'toString', 'rating']) {
    const text = canonicalJson({ kind, v: 1 });
    assert.throws(() => parseEntry(text), code('entry_kind_unknown'), kind);
    assert.equal(readKnownEntry(text), null);
  }
  assert.throws(() => readKnownEntry('nonsense'), code('entry_invalid'));
});

test('a seal names projects by what only those know who know the project', () => {
  const start = '2026-01-31T23:00:00.000000Z';
  assert.equal(gapKey(start, 'p2'), 'bbe2cc0e7d5528fd05fce60c90ed75db');
  assert(textOf('seal').includes(gapKey(start, 'p2')) && !textOf('seal').includes('"p2"'));
  const others = [gapKey(start, null), gapKey(start, 'null'), gapKey('x', 'p2')];
  assert.equal(new Set([...others, gapKey(start, 'p2')]).size, 4);
});

test('rules have one digest however their keys are ordered', () => {
  const entry: LogEntry = parseEntry(textOf('usage_rules'));
  assert(entry.kind === 'usage_rules');
  assert.equal(digestOfUsageRules(entry.rules), entry.digest);
  const reversed = Object.fromEntries(Object.entries(entry.rules).reverse());
  assert.equal(digestOfUsageRules(reversed), entry.digest);
});
