import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEntry } from '../../ledger/entry.ts';
import type { LineRecords } from '../../ledger/line_windows.ts';
import { leafHash } from '../../ledger/merkle.ts';
import { signNote } from '../../ledger/note.ts';
import { windowsRoot } from '../../ledger/prove_window.ts';
import { formatStatementBundle, parseStatementBundle } from '../../ledger/statement_bundle.ts';
import { checkStatement } from '../../ledger/statement_check.ts';
import {
  encodeStatement,
  parseStatement,
  signatureText,
  signStatement,
  type StatementDocument,
  type StatementLine,
} from '../../ledger/statement_document.ts';
import type { StatementEntry } from '../../ledger/statement_entry.ts';
import { differencesFrom, totalsOf } from '../../ledger/statement_lines.ts';
import { verifyStatement, type VerifyStatementOptions } from '../../ledger/verify_statement.ts';
import { encodeWindow } from '../../ledger/window_record.ts';
import { MemoryLog } from '../support/memory_log.ts';
import { testSigner } from '../support/test_signer.ts';
import {
  EMPTY_WINDOW,
  receiptFrom,
  statementEntry,
  usageVectors,
  windowsOfLines,
} from '../support/usage_vectors.ts';

const VECTORS = await usageVectors();
const SIGNER = testSigner();
const VKEYS = { vkeys: [SIGNER.vkey] };
const [STATEMENT, AMENDMENT] = VECTORS.statements.map(({ document }) =>
  parseStatement(document)
) as [
  StatementDocument,
  StatementDocument,
];
const BUNDLE = parseStatementBundle(VECTORS.statement_bundle);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

/** The bundle of a document that the deployment really signed and logged, whatever is in it. */
async function bundleOf(
  document: StatementDocument,
  entry: Partial<StatementEntry> = {},
): Promise<string> {
  const text = encodeStatement(document);
  const logged = encodeEntry({ ...statementEntry(text, document), ...entry });
  return formatStatementBundle({
    document: text,
    signature: await signStatement(text, [SIGNER]),
    receipt: await receiptFrom(await MemoryLog.of([logged]), 0),
  });
}

async function brokenAt(
  text: string,
  options: Partial<VerifyStatementOptions> = {},
): Promise<string> {
  const verdict = await verifyStatement(text, { ...VKEYS, ...options });
  return verdict.ok ? 'none' : `${verdict.step} ${verdict.code}`;
}

/** The statement with some fields of some of its lines replaced. */
function withLines(...changes: (Partial<StatementLine> | undefined)[]): StatementDocument {
  const lines = STATEMENT.lines.map((line, index) => ({ ...line, ...changes[index] }));
  return { ...STATEMENT, lines, totals: totalsOf(lines) };
}

test('a statement and its amendment verify with the public key alone', async () => {
  const verdict = await verifyStatement(VECTORS.statement_bundle, VKEYS);
  assert(verdict.ok, JSON.stringify(verdict));
  assert.deepEqual(verdict.statement, STATEMENT);
  assert.equal(verdict.digest, VECTORS.statements[0]?.digest);
  assert.deepEqual(verdict.signedBy, [SIGNER.vkey]);
  assert.deepEqual(verdict.checkpointSignedBy, [SIGNER.vkey]);
  assert.deepEqual([verdict.entry.number, verdict.index], [0, 4]);
  const former = VECTORS.statements[0]?.document ?? '';
  assert.equal(await brokenAt(VECTORS.amendment_bundle, { former }), 'none');
  assert.deepEqual(
    AMENDMENT.lines.map(({ meter, difference }) => [meter, difference]),
    [['image.download', '512'], ['image.serve', '0.5'], ['memory', '0'], [
      'network.incoming.bytes',
      '0',
    ]],
  );
});

test('verifyStatement names the step that broke', async () => {
  const other = testSigner(9);
  const { document } = BUNDLE;
  const text = signatureText({ ...STATEMENT, number: 1 }, VECTORS.statements[0]?.digest ?? '');
  const cases: [string, string][] = [
    ['format statement_bundle_invalid', VECTORS.sealed_bundle],
    ['format statement_bundle_not_canonical', `${VECTORS.statement_bundle}\n`],
    [
      'document statement_not_canonical',
      formatStatementBundle({ ...BUNDLE, document: `${document} ` }),
    ],
    ['document statement_invalid', formatStatementBundle({ ...BUNDLE, document: '{}' })],
    ['signature note_invalid', formatStatementBundle({ ...BUNDLE, signature: '' })],
    [
      'signature signature_foreign',
      formatStatementBundle({ ...BUNDLE, document: encodeStatement({ ...STATEMENT, zone: 'Z' }) }),
    ],
    [
      'signature signature_foreign',
      formatStatementBundle({ ...BUNDLE, signature: await signNote(text, [SIGNER]) }),
    ],
    [
      'signature signature_missing',
      formatStatementBundle({ ...BUNDLE, signature: await signStatement(document, [other]) }),
    ],
    [
      'receipt.inclusion proof_invalid',
      formatStatementBundle({ ...BUNDLE, receipt: BUNDLE.receipt.replace('index 4', 'index 5') }),
    ],
    ['entry statement_entry_wrong', await bundleOf(STATEMENT, { period: '2026-02' })],
    ['entry statement_entry_wrong', await bundleOf(STATEMENT, { project_id: 'p2' })],
    ['entry statement_entry_wrong', await bundleOf(STATEMENT, { number: 1 })],
    ['entry statement_entry_wrong', await bundleOf(STATEMENT, { lines: 4 })],
    ['entry statement_entry_wrong', await bundleOf(STATEMENT, { covers: [] })],
    ['digest statement_digest_wrong', await bundleOf(STATEMENT, { digest: '0'.repeat(64) })],
    ['lines statement_lines_wrong', await bundleOf(withLines({ usage_unit: 'B·h' }))],
    ['totals statement_totals_wrong', await bundleOf({ ...STATEMENT, totals: [] })],
    [
      'gaps statement_gaps_wrong',
      await bundleOf({ ...STATEMENT, gaps: [...STATEMENT.gaps, ...STATEMENT.gaps] }),
    ],
    ['amends statement_amends_wrong', await bundleOf({ ...AMENDMENT, amends: null })],
  ];
  for (const [expected, bundle] of cases) assert.equal(await brokenAt(bundle), expected);
  const seal = await receiptFrom(await MemoryLog.of(VECTORS.entries.map(({ entry }) => entry)), 3);
  assert.equal(
    await brokenAt(formatStatementBundle({ ...BUNDLE, receipt: seal })),
    'entry statement_entry_wrong',
  );
  await assert.rejects(verifyStatement('', { vkeys: ['nonsense'] }), code('vkey_invalid'));
});

test('lines are in order, each once, and their quantities follow from their exact figures', () => {
  const [first, second, third] = STATEMENT.lines;
  assert(first !== undefined && second !== undefined && third !== undefined);
  assert.deepEqual([first.type, second.type, third.type], ['delta', 'gauge', 'cumulative']);
  const group = { flavor: 'm1' };
  const windows = { count: 0, root: hex(windowsRoot([])), first: null, last: null };
  const wrong: [string, StatementDocument][] = [
    ['twice', { ...STATEMENT, lines: [first, first] }],
    ['another order', { ...STATEMENT, lines: [second, first] }],
    ['a resource and a group', withLines({ group })],
    ['unit seconds of a delta', withLines({ unit_seconds: '1' })],
    ['covered seconds of a delta', withLines({ covered: '1' })],
    ['a gauge without unit seconds', withLines(undefined, { unit_seconds: null })],
    ['a gauge without covered seconds', withLines(undefined, { covered: null })],
    ['a quantity that is not the hours', withLines(undefined, { quantity: '4.000000000001' })],
    [
      'windows before the period',
      withLines({
        windows: { ...first.windows, first: '2025-12-31T23:00:00.000000Z' },
      }),
    ],
    [
      'windows after the period',
      withLines({
        windows: { ...first.windows, last: '2026-02-01T00:00:00.000001Z' },
      }),
    ],
    ['windows without a span', withLines({ windows: { ...first.windows, last: null } })],
    ['a span without windows', withLines({ windows: { ...first.windows, count: 0 } })],
  ];
  for (const [what, document] of wrong) {
    assert.throws(() => checkStatement(document), code('statement_lines_wrong'), what);
  }
  checkStatement(withLines({ windows }));
  // 1,200.000001 / 3,600 and a tie: 0.0000000000005 · 3,600 is half of the last decimal.
  checkStatement(withLines(undefined, { unit_seconds: '1200.000001', quantity: '0.333333333611' }));
  checkStatement(withLines(undefined, { unit_seconds: '0.0000000018', quantity: '0' }));
  checkStatement(
    withLines(undefined, { unit_seconds: '0.0000000054', quantity: '0.000000000002' }),
  );
  const grouped = [
    { ...first, resource_id: null },
    { ...first, resource_id: null, group },
    { ...first, resource_id: null, group: { flavor: 'm2' } },
    first,
  ];
  checkStatement({ ...STATEMENT, lines: grouped, totals: totalsOf(grouped) });
});

test('totals are the sums of the lines, exactly', () => {
  const [first] = STATEMENT.lines;
  assert(first !== undefined);
  const lines = ['9007199254740993', '0.1', '0.2'].map((quantity, index) => ({
    ...first,
    quantity,
    resource_id: `r${index}`,
  }));
  assert.deepEqual(totalsOf(lines).map(({ quantity }) => quantity), ['9007199254740993.3']);
  const [total] = totalsOf(lines);
  assert(total !== undefined);
  const wrong = [
    [],
    [{ ...total, quantity: '9007199254740993.2' }],
    [{ ...total, meter: 'other' }],
    [total, { ...total, meter: 'other' }],
  ];
  for (const totals of wrong) {
    const document = { ...STATEMENT, lines, totals };
    assert.throws(() => checkStatement(document), code('statement_totals_wrong'));
  }
});

test('an amendment states the differences from the one before it, and loses no line', async () => {
  const former = VECTORS.statements[0]?.document ?? '';
  const changed = encodeStatement({ ...STATEMENT, zone: 'Europe/Vienna' });
  assert.equal(
    await brokenAt(VECTORS.amendment_bundle, { former: changed }),
    'amends statement_amends_wrong',
  );
  assert.equal(
    await brokenAt(VECTORS.statement_bundle, { former }),
    'amends statement_amends_wrong',
    'number 0 amends nothing',
  );
  assert.equal(
    await brokenAt(VECTORS.amendment_bundle, { former: '{}' }),
    'amends statement_amends_wrong',
  );
  const [first, ...rest] = AMENDMENT.lines;
  assert(first !== undefined);
  const wrong: [string, StatementDocument][] = [
    ['a wrong difference', { ...AMENDMENT, lines: [{ ...first, difference: '511' }, ...rest] }],
    ['a lost line', { ...AMENDMENT, lines: rest, totals: totalsOf(rest) }],
    ['no difference', { ...AMENDMENT, lines: [{ ...first, difference: null }, ...rest] }],
    ['another number', { ...AMENDMENT, number: 2 }],
    ['another project', { ...AMENDMENT, project_id: 'p2' }],
  ];
  for (const [what, document] of wrong) {
    assert.throws(() => checkStatement(document, STATEMENT), code('statement_amends_wrong'), what);
  }
  const differing = {
    ...STATEMENT,
    lines: [{ ...first, difference: '0' }],
    totals: totalsOf([first]),
  };
  assert.throws(() => checkStatement(differing), code('statement_amends_wrong'));
  // What is used no more stays as a line of nothing.
  const gone = STATEMENT.lines.map((line) => ({
    ...line,
    quantity: '0',
    unit_seconds: line.unit_seconds && '0',
  }));
  const differenceOf = differencesFrom(STATEMENT);
  assert.deepEqual(gone.map(differenceOf), ['-1024', '-4', '-993']);
});

test('the windows that a line sums are held to it', async () => {
  const windows = windowsOfLines(VECTORS);
  assert.equal(await brokenAt(VECTORS.statement_bundle, { windows }), 'none');
  const [download, memory] = windows as [LineRecords, LineRecords];
  const wrong: [string, string, LineRecords][] = [
    ['windows line_unknown', 'a line that is not there', { ...memory, line: 3 }],
    ['windows line_windows_wrong', 'none', { ...memory, records: [] }],
    ['windows line_windows_wrong', 'those of another line', { ...memory, line: 0 }],
    ['windows line_windows_wrong', 'one altered', {
      line: 1,
      records: memory.records.map((text) =>
        text.replace('"integral":"14400"', '"integral":"14401"')
      ),
    }],
    ['windows line_windows_wrong', 'too many', {
      line: 0,
      records: [...download.records, ...download.records],
    }],
  ];
  for (const [expected, what, given] of wrong) {
    assert.equal(await brokenAt(VECTORS.statement_bundle, { windows: [given] }), expected, what);
  }
});

test('a line whose windows are signed for but do not come to it is found', async () => {
  const hour = (index: number) => `2026-01-31T${String(index).padStart(2, '0')}:00:00.000000Z`;
  const records = [20, 21].map((index) => ({
    ...EMPTY_WINDOW,
    start: hour(index),
    end: hour(index + 1),
    integral: '7200',
    covered: '3600',
  }));
  const lineOf = (of: typeof records, changes: Partial<StatementLine> = {}): StatementLine => ({
    meter: 'memory',
    type: 'gauge',
    unit: 'GiB',
    resource_id: null,
    group: null,
    usage_unit: 'GiB·h',
    quantity: '4',
    unit_seconds: '14400',
    samples: 0,
    covered: '7200',
    windows: {
      count: of.length,
      root: hex(windowsRoot(of.map((window) => leafHash(encodeWindow(window))))),
      first: hour(20),
      last: hour(22),
    },
    flags: [],
    difference: null,
    ...changes,
  });
  const verdictOn = async (of: typeof records, changes: Partial<StatementLine> = {}) => {
    const lines = [lineOf(of, changes)];
    const bundle = await bundleOf({ ...STATEMENT, lines, totals: totalsOf(lines) });
    return await brokenAt(bundle, { windows: [{ line: 0, records: of.map(encodeWindow) }] });
  };
  assert.equal(await verdictOn(records), 'none');
  const [first, second] = records;
  assert(first !== undefined && second !== undefined);
  const wrong: [string, typeof records, Partial<StatementLine>][] = [
    ['the sum', records, { quantity: '5', unit_seconds: '18000' }],
    ['the samples', records, { samples: 1 }],
    ['the covered seconds', records, { covered: '7199' }],
    ['the span', records, { windows: { ...lineOf(records).windows, last: hour(23) } }],
    ['a window that counts twice', [first, { ...first, revision: 1 }], {}],
    ['a window of another project', [first, { ...second, project_id: 'p2' }], {}],
    ['a window of another meter', [first, { ...second, meter: 'vcpus' }], {}],
    ['a window of another unit', [first, { ...second, unit: 'MiB' }], {}],
    ['a window of another resource', records, { resource_id: 'c9d3' }],
    [
      'a window outside of the period',
      [first, { ...second, end: '2026-02-01T00:00:00.000001Z' }],
      {},
    ],
  ];
  for (const [what, of, changes] of wrong) {
    assert.equal(await verdictOn(of, changes), 'windows line_windows_wrong', what);
  }
});

test('names with newlines and quotes cannot pass for other lines of what is signed', () => {
  const digest = '0'.repeat(64);
  const text = signatureText({ project_id: 'p\n2026-01\n', period: '"ä\\', number: 3 }, digest);
  assert.equal(text, `nepho statement v1\np\\n2026-01\\n\n\\"ä\\\\\n3\n${digest}\n`);
  assert.equal(text.split('\n').length, 6);
});

test('a statement of more lines or bytes than can be checked is refused before it is read', () => {
  const [line] = STATEMENT.lines;
  assert(line !== undefined);
  const lines = Array.from({ length: 100_001 }, () => line);
  assert.throws(() => encodeStatement({ ...STATEMENT, lines }), code('statement_too_large'));
  const many = `{"kind":"statement","lines":[${'0,'.repeat(100_000)}0],"v":1}`;
  assert.throws(() => parseStatement(many), code('statement_too_large'));
  assert.throws(
    () => parseStatement(' '.repeat(64 * 1024 * 1024 + 1)),
    code('statement_too_large'),
  );
  assert.throws(
    () => parseStatement('ä'.repeat(32 * 1024 * 1024 + 1)),
    code('statement_too_large'),
  );
});

test('a statement of 1,000 lines verifies in 200 ms', async (context) => {
  const [line] = STATEMENT.lines.slice(1);
  assert(line !== undefined);
  const lines = Array.from({ length: 1_000 }, (_, index) => ({
    ...line,
    resource_id: `0a2ba2b5-7d2b-4a3e-8d4d-${String(index).padStart(12, '0')}`,
  }));
  const bundle = await bundleOf({ ...STATEMENT, lines, totals: totalsOf(lines) });
  assert.equal(await brokenAt(bundle), 'none');
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    const started = performance.now();
    await verifyStatement(bundle, VKEYS);
    times.push(performance.now() - started);
  }
  const best = Math.min(...times);
  context.diagnostic(`1,000 lines: ${best.toFixed(1)} ms`);
  // The best of five, since other tests share the machine.
  assert(best <= 200, `${best} ms`);
});
