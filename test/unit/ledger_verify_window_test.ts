import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEntry, type LogEntry, parseEntry } from '../../ledger/entry.ts';
import { seriesKey } from '../../ledger/identity.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import { leafHash } from '../../ledger/merkle.ts';
import { logIdOfOrigin } from '../../ledger/position.ts';
import { verifyWindow } from '../../ledger/verify_window.ts';
import {
  formatWindowBundle,
  parseWindowBundle,
  type WindowBundle,
} from '../../ledger/window_bundle.ts';
import { encodeWindow, parseWindow, type WindowRecord } from '../../ledger/window_record.ts';
import { MemoryLog, TEST_ORIGIN } from '../support/memory_log.ts';
import { testSigner } from '../support/test_signer.ts';
import { EMPTY_WINDOW, receiptFrom, usageVectors } from '../support/usage_vectors.ts';

const VECTORS = await usageVectors();
const VKEYS = { vkeys: [VECTORS.vkey] };
const SEALED = parseWindowBundle(VECTORS.sealed_bundle);
const REVISED = parseWindowBundle(VECTORS.revised_bundle);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function entryOf(kind: string): LogEntry {
  return parseEntry(VECTORS.entries.find((entry) => entry.kind === kind)?.entry ?? '');
}

/** The receipt of an entry in a log of its own. */
async function receiptOf(entry: LogEntry, origin = TEST_ORIGIN): Promise<string> {
  return await receiptFrom(await MemoryLog.of([encodeEntry(entry)], [testSigner()], origin), 0);
}

async function stepOf(bundle: WindowBundle): Promise<string> {
  const verdict = await verifyWindow(formatWindowBundle(bundle), VKEYS);
  return verdict.ok ? 'none' : `${verdict.step} ${verdict.code}`;
}

function altered(bundle: WindowBundle, changes: Partial<WindowRecord>): WindowBundle {
  return { ...bundle, window: encodeWindow({ ...parseWindow(bundle.window), ...changes }) };
}

test('a sealed window and a revised one verify with the public key alone', async () => {
  const sealed = await verifyWindow(VECTORS.sealed_bundle, VKEYS);
  assert(sealed.ok, JSON.stringify(sealed));
  assert.equal(encodeWindow(sealed.window), VECTORS.windows[2]?.record);
  assert.deepEqual(
    [sealed.entry.kind, sealed.index, sealed.origin, sealed.size],
    ['seal', 3, TEST_ORIGIN, VECTORS.entries.length],
  );
  assert.deepEqual(sealed.signedBy, [VECTORS.vkey]);
  const revised = await verifyWindow(VECTORS.revised_bundle, VKEYS);
  assert(revised.ok, JSON.stringify(revised));
  assert.deepEqual([revised.entry.kind, revised.window.revision], ['revision', 1]);
});

test('verifyWindow names the step that broke, of a sealed window', async () => {
  const seal = entryOf('seal');
  const cases: [string, WindowBundle | string][] = [
    ['format window_bundle_not_canonical', ` ${VECTORS.sealed_bundle}`],
    ['format window_bundle_invalid', VECTORS.statement_bundle],
    ['window window_not_canonical', { ...SEALED, window: `${SEALED.window} ` }],
    ['receipt.format receipt_invalid', { ...SEALED, receipt: '' }],
    ['receipt.inclusion proof_invalid', {
      ...SEALED,
      receipt: SEALED.receipt.replace('index 3', 'index 2'),
    }],
    ['entry window_entry_wrong', { ...SEALED, receipt: await receiptOf(entryOf('usage_rules')) }],
    ['span window_span_wrong', altered(SEALED, { start: '2026-01-31T22:00:00.000000Z' })],
    ['span window_span_wrong', altered(SEALED, { revision: 1 })],
    ['inclusion window_not_included', altered(SEALED, { sum: '1' })],
    ['inclusion window_not_included', altered(SEALED, { project_id: null })],
    ['inclusion window_not_included', { ...SEALED, place: 3 }],
    ['inclusion index_out_of_range', { ...SEALED, place: 4 }],
    ['inclusion proof_invalid', { ...SEALED, proof: SEALED.proof?.slice(1) ?? null }],
    ['inclusion window_not_included', { ...SEALED, proof: null }],
    [
      'inclusion index_out_of_range',
      { ...SEALED, receipt: await receiptOf({ ...seal, rows: 2 } as LogEntry) },
    ],
  ];
  for (const [expected, bundle] of cases) {
    const text = typeof bundle === 'string' ? bundle : formatWindowBundle(bundle);
    const verdict = await verifyWindow(text, VKEYS);
    assert.equal(verdict.ok ? 'none' : `${verdict.step} ${verdict.code}`, expected);
  }
});

test('verifyWindow names the step that broke, of a revised window', async () => {
  const revision = entryOf('revision');
  assert(revision.kind === 'revision');
  const cases: [string, WindowBundle][] = [
    ['span window_span_wrong', { ...REVISED, place: 0 }],
    ['span window_span_wrong', { ...REVISED, place: 2 }],
    ['span window_span_wrong', altered(REVISED, { revision: 2 })],
    ['span window_span_wrong', altered(REVISED, { resource_id: 'other' })],
    ['span window_span_wrong', {
      ...REVISED,
      receipt: await receiptOf({ ...revision, project_id: 'p2' }),
    }],
    // The same entry in another log is about another series, and a log may have no number.
    ['span window_span_wrong', {
      ...REVISED,
      receipt: await receiptOf(revision, 'nepho.example/log/1'),
    }],
    ['span window_span_wrong', {
      ...REVISED,
      receipt: await receiptOf(revision, 'nepho.example/else'),
    }],
    ['inclusion window_not_included', altered(REVISED, { sum_squares: '7' })],
    ['inclusion window_not_included', { ...REVISED, proof: [] }],
    ...await Promise.all(
      [{ quantity_after: '7' }, { unit: 'KiB' }].map(async (change) => {
        const changes = revision.changes.map((one) => ({ ...one, ...change }));
        const receipt = await receiptOf({ ...revision, changes });
        return ['inclusion window_not_included', { ...REVISED, receipt }] as [string, WindowBundle];
      }),
    ),
  ];
  for (const [expected, bundle] of cases) assert.equal(await stepOf(bundle), expected);
});

test('a revision states the usage of a gauge in unit hours and of a counter by its increase', async () => {
  const revision = entryOf('revision');
  assert(revision.kind === 'revision');
  const usage: [Partial<WindowRecord>, string, string][] = [
    [{ integral: '1200.000001', covered: '3600' }, '0.333333333611', 'GiB·h'],
    [{ type: 'cumulative', unit: 'ns', increase: '9007199254740993' }, '9007199254740993', 'ns'],
    [{ type: 'delta', unit: 'B', sum: '-0.5' }, '-0.5', 'B'],
  ];
  for (const [figures, quantity, unit] of usage) {
    const window = { ...EMPTY_WINDOW, ...figures, revision: 1 };
    const text = encodeWindow(window);
    const receipt = await receiptOf({
      ...revision,
      changes: [{
        series: seriesKey(0, window),
        start: window.start,
        revision: 1,
        before: null,
        after: hex(leafHash(text)),
        quantity_before: null,
        quantity_after: quantity,
        unit,
      }],
    });
    assert.equal(await stepOf({ window: text, place: 0, proof: null, receipt }), 'none');
  }
});

test('a window sealed under a later key verifies for who trusts the first and has the key entries', async () => {
  const later = testSigner(5);
  const vectors = await usageVectors([later]);
  const now = '2026-01-01T00:00:00.000000Z';
  const keyEntries = await missingKeyEntries([], [testSigner()], { now });
  keyEntries.push(...await missingKeyEntries(keyEntries, [later, testSigner()], { now }));
  const refused = await verifyWindow(vectors.sealed_bundle, VKEYS);
  assert.deepEqual([refused.ok, !refused.ok && refused.step], [false, 'receipt.signature']);
  assert((await verifyWindow(vectors.sealed_bundle, { ...VKEYS, keyEntries })).ok);
  await assert.rejects(
    verifyWindow(vectors.sealed_bundle, { vkeys: ['nonsense'] }),
    (error: { code?: string }) => error.code === 'vkey_invalid',
  );
});

test("a log's number is read from its name, strictly", () => {
  assert.equal(logIdOfOrigin('nepho.example/log/0'), 0);
  assert.equal(logIdOfOrigin('a/log/7/log/8191'), 8191);
  for (const other of ['nepho.example', 'a/log/', 'a/log/00', 'a/log/1x', 'a/log/-1']) {
    assert.equal(logIdOfOrigin(other), null, other);
  }
});
