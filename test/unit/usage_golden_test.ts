import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { verifyStatement } from '../../ledger/verify_statement.ts';
import { verifyWindow } from '../../ledger/verify_window.ts';
import { MemoryLog } from '../support/memory_log.ts';
import { naiveRoot } from '../support/naive_merkle.ts';
import { type UsageVectors, usageVectors, windowsOfLines } from '../support/usage_vectors.ts';

const GOLDEN = join(import.meta.dirname, '../golden/usage.json');
const DOCUMENT = join(import.meta.dirname, '../../docs/formats.md');

const vectors = await usageVectors();
// A changed format breaks every seal and statement that exists: whoever changes one has to ask for it.
if (process.env['NEPHO_WRITE_GOLDEN'] === '1') {
  writeFileSync(GOLDEN, `${JSON.stringify(vectors, null, 2)}\n`);
}
const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as UsageVectors;
const VKEYS = { vkeys: [golden.vkey] };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('windows, seals, revisions, statements and bundles are what they always were', () => {
  assert.deepEqual(vectors, golden);
});

test('every record of the vectors is canonical JSON, and its leaf SHA-256 of a zero byte and it', () => {
  const records = [...golden.windows, ...golden.revised]
    .map(({ record, leaf }) => ({ entry: record, leaf }));
  for (const { entry, leaf } of [...golden.entries, ...records]) {
    assert.equal(canonicalJson(JSON.parse(entry)), entry);
    assert.equal(leaf, sha256(`\0${entry}`));
  }
  for (const { document, digest, signed_text } of golden.statements) {
    assert.equal(canonicalJson(JSON.parse(document)), document);
    assert.equal(digest, sha256(document));
    assert(signed_text.endsWith(`\n${digest}\n`));
  }
  assert.equal(golden.rules.digest, sha256(canonicalJson(JSON.parse(golden.rules.canonical))));
});

test('the seal is over the windows in the order of their series, by the model of RFC 6962', () => {
  const series = golden.windows.map((window) => window.series);
  assert.deepEqual(series, series.toSorted());
  const root = naiveRoot(golden.windows.map(({ leaf }) => Buffer.from(leaf, 'hex')));
  assert.equal(golden.seal_root, root.toString('hex'));
  const seal = golden.entries.find(({ kind }) => kind === 'seal');
  const entry = parseEntry(seal?.entry ?? '');
  assert.equal(entry.kind === 'seal' && entry.root, golden.seal_root);
});

test('the golden bundles verify with the public key alone', async () => {
  for (const bundle of [golden.sealed_bundle, golden.revised_bundle]) {
    const verdict = await verifyWindow(bundle, VKEYS);
    assert(verdict.ok, JSON.stringify(verdict));
  }
  const windows = windowsOfLines(golden);
  const verdict = await verifyStatement(golden.statement_bundle, { ...VKEYS, windows });
  assert(verdict.ok, JSON.stringify(verdict));
  const former = golden.statements[0]?.document ?? '';
  const amendment = await verifyStatement(golden.amendment_bundle, { ...VKEYS, former });
  assert(amendment.ok, JSON.stringify(amendment));
});

test('the golden entries are a log that verifies', async () => {
  const log = await MemoryLog.of(golden.entries.map(({ entry }) => entry));
  const verdict = await verifyLog(log, VKEYS);
  assert(verdict.ok, JSON.stringify(verdict));
  assert.equal(verdict.kinds['unknown'], undefined);
});

test('docs/formats.md quotes the golden vectors', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const quoted = [
    ...golden.windows.slice(2, 3).flatMap(({ record, leaf, series }) => [record, leaf, series]),
    golden.seal_root,
    ...golden.entries.slice(2).filter(({ entry }) => !entry.includes('"number":1'))
      .flatMap(({ entry, leaf }) => [entry, leaf]),
    ...golden.statements.slice(0, 1)
      .flatMap((one) => [one.document, one.digest, one.signed_text, one.signature]),
    golden.sealed_bundle,
  ];
  for (const text of quoted) {
    assert(document.includes(text), `docs/formats.md does not quote ${text}`);
  }
});
