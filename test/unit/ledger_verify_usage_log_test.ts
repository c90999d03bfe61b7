/** What verifyLog holds to each other across the entries of a log: seals, revisions, statements. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEntry, type LogEntry, parseEntry } from '../../ledger/entry.ts';
import type { RevisionEntry, WindowChange } from '../../ledger/revision_entry.ts';
import type { SealEntry } from '../../ledger/seal_entry.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import { MemoryLog } from '../support/memory_log.ts';
import { usageVectors } from '../support/usage_vectors.ts';

const VECTORS = await usageVectors();
const VKEYS = { vkeys: [VECTORS.vkey] };
const HOUR = 3_600_000_000n;

function known<Kind extends LogEntry['kind']>(kind: Kind): Extract<LogEntry, { kind: Kind }> {
  const entry = parseEntry(VECTORS.entries.find((one) => one.kind === kind)?.entry ?? '');
  assert(isOf(entry, kind));
  return entry;
}

function isOf<Kind extends LogEntry['kind']>(
  entry: LogEntry,
  kind: Kind,
): entry is Extract<LogEntry, { kind: Kind }> {
  return entry.kind === kind;
}

const BEFORE = [known('key'), known('definitions'), known('usage_rules')];
const SEAL = known('seal');
const REVISION = known('revision');
const STATEMENT = known('statement');

/** The seal of the nth hour, at leaf 3 + n if all before it are seals. */
function sealOf(hour: number, changes: Partial<SealEntry> = {}): SealEntry {
  const start = toMicros(SEAL.start) + BigInt(hour) * HOUR;
  return {
    ...SEAL,
    start: formatMicros(start),
    end: formatMicros(start + HOUR),
    previous: hour === 0 ? null : 2 + hour,
    ...changes,
  };
}

/** A revision that leaf 3 + n may hold. */
function revisionOf(changes: Partial<RevisionEntry> = {}): RevisionEntry {
  const cause = { ...REVISION.cause, first_leaf: 0, last_leaf: 1 };
  return { ...REVISION, covers_from: 0, covers_to: 3, cause, ...changes };
}

function changed(changes: Partial<WindowChange>): RevisionEntry {
  const [first] = REVISION.changes;
  assert(first !== undefined);
  return revisionOf({ changes: [{ ...first, ...changes }] });
}

async function brokenAt(entries: readonly LogEntry[]): Promise<string> {
  const verdict = await verifyLog(await MemoryLog.of(entries.map(encodeEntry)), VKEYS);
  return verdict.ok ? 'none' : `${verdict.step} ${verdict.code} ${verdict.place}`;
}

test('seals that follow each other hour by hour are accepted, and each is counted', async () => {
  const entries = [...BEFORE, ...Array.from({ length: 300 }, (_, hour) => sealOf(hour))];
  const verdict = await verifyLog(await MemoryLog.of(entries.map(encodeEntry)), VKEYS);
  assert(verdict.ok, JSON.stringify(verdict));
  assert.deepEqual(verdict.kinds, { key: 1, definitions: 1, usage_rules: 1, seal: 300 });
});

test('a hole, a repetition, a wrong predecessor or a look ahead of seals is found', async () => {
  const cases: [string, LogEntry[]][] = [
    ['a hole', [sealOf(0), sealOf(2, { previous: 3 })]],
    ['a repetition', [sealOf(0), sealOf(0, { previous: 3 })]],
    ['no predecessor', [sealOf(0), sealOf(1, { previous: null })]],
    ['another predecessor', [sealOf(0), sealOf(1, { previous: 2 })]],
    ['covers itself', [sealOf(0), sealOf(1, { covers_to: 5 })]],
    ['covers less than the one before', [sealOf(0), sealOf(1, { covers_to: 2 })]],
  ];
  for (const [what, entries] of cases) {
    assert.equal(await brokenAt([...BEFORE, ...entries]), 'seal seal_wrong entry 4', what);
  }
  assert.equal(
    await brokenAt([...BEFORE, sealOf(0, { previous: 0 })]),
    'seal seal_wrong entry 3',
    'a predecessor of the first',
  );
});

test('rules and definitions that no entry before recorded are found, and digests that are none', async () => {
  const [key, definitions, rules] = BEFORE;
  assert(key !== undefined && definitions !== undefined && rules !== undefined);
  const digest = '0'.repeat(64);
  const cases: [string, LogEntry[]][] = [
    ['usage_rules usage_rules_unknown entry 2', [key, definitions, sealOf(0)]],
    ['definitions definitions_unknown entry 2', [key, rules, sealOf(0)]],
    ['usage_rules definitions_wrong entry 1', [key, { ...known('usage_rules'), digest }]],
    ['usage_rules usage_rules_unknown entry 4', [
      ...BEFORE,
      sealOf(0),
      revisionOf({ rules: digest }),
    ]],
  ];
  for (const [expected, entries] of cases) assert.equal(await brokenAt(entries), expected);
});

test('a revision of a closed hour is accepted, and the next one that follows it', async () => {
  const first = changed({ revision: 1 });
  const after = first.changes[0]?.after ?? '';
  const second = changed({ revision: 2, before: after, after: '0'.repeat(64) });
  const other = changed({ revision: 1, start: '2026-01-31T22:00:00.000000Z', before: null });
  assert.equal(await brokenAt([...BEFORE, sealOf(0), first, second, other]), 'none');
});

test('a revision of an open hour, of what it does not cover, or out of its order is found', async () => {
  const first = changed({ revision: 1 });
  const after = first.changes[0]?.after ?? '';
  const { cause } = revisionOf();
  const cases: [string, LogEntry[]][] = [
    ['an open hour', [changed({ start: SEAL.end })]],
    ['what comes after it', [revisionOf({ covers_to: 6 })]],
    ['backwards', [revisionOf({ covers_from: 2, covers_to: 1 })]],
    ['late before it', [revisionOf({ covers_from: 1 })]],
    ['late after it', [revisionOf({ cause: { ...cause, last_leaf: 3 } })]],
    ['late backwards', [revisionOf({ cause: { ...cause, first_leaf: 2 } })]],
    ['a revision left out', [changed({ revision: 2 })]],
  ];
  for (const [what, entries] of cases) {
    const expected = 'revision revision_wrong entry 4';
    assert.equal(await brokenAt([...BEFORE, sealOf(0), ...entries]), expected, what);
  }
  const follows = [
    changed({ revision: 1 }),
    changed({ revision: 3, before: after }),
    changed({ revision: 2, before: null }),
  ];
  for (const next of follows) {
    const expected = 'revision revision_wrong entry 5';
    assert.equal(await brokenAt([...BEFORE, sealOf(0), first, next]), expected);
  }
  assert.equal(await brokenAt([...BEFORE, first]), 'revision revision_wrong entry 3', 'no seal');
});

test('a statement that covers entries of its log after itself is found', async () => {
  const [covered] = STATEMENT.covers;
  assert(covered !== undefined);
  const at = (size: number) => [...BEFORE, { ...STATEMENT, covers: [{ ...covered, size }] }];
  assert.equal(await brokenAt(at(3)), 'none');
  assert.equal(await brokenAt(at(4)), 'statement statement_wrong entry 3');
  const others = { ...STATEMENT, covers: [{ origin: 'nepho.example/log/1', size: 1_000 }] };
  assert.equal(await brokenAt([...BEFORE, others]), 'none');
});
