import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { encodeSampleEntry } from '../../ledger/sample_entry.ts';
import { metadataDigest, sampleId } from '../../ledger/identity.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import { makeReceipt, proveConsistency } from '../../ledger/prove.ts';
import { checkConsistency } from '../../ledger/merkle.ts';
import { formatReceipt, parseReceipt, type Receipt } from '../../ledger/receipt.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { MemoryLog, TEST_ORIGIN, testEntries, testSample } from '../support/memory_log.ts';
import { naiveRoot } from '../support/naive_merkle.ts';
import { testSigner } from '../support/test_signer.ts';

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;
const SIGNER = testSigner();
const VKEYS = { vkeys: [SIGNER.vkey] };
const METADATA = canonicalJson({ name: 'späti', flavor: { vcpus: 2 } });
const SAMPLE = { ...testSample(7), metadata: metadataDigest(METADATA) };

/** The receipt of an entry put into a log of some others. */
async function receiptOf(entry: string, metadata: string | null): Promise<Receipt> {
  const log = await MemoryLog.of([...testEntries(300), entry, ...testEntries(20)]);
  return await makeReceipt(
    { entry, metadata, index: 301, checkpoint: await log.readCheckpoint() },
    (level, index, width) => log.readTile(level, index, width),
  );
}

const RECEIPT = await receiptOf(encodeSampleEntry(SAMPLE), METADATA);
const TEXT = formatReceipt(RECEIPT);

test('a receipt is a C2SP tlog-proof whose extra data is the entry and the metadata', () => {
  const [header, extra, index, ...rest] = TEXT.split('\n');
  assert.equal(header, 'c2sp.org/tlog-proof@v1');
  assert.equal(
    Buffer.from(extra?.replace('extra ', '') ?? '', 'base64').toString(),
    `${encodeSampleEntry(SAMPLE)}\n${METADATA}`,
  );
  assert.equal(index, 'index 301');
  const gap = rest.indexOf('');
  assert.equal(gap, RECEIPT.proof.length);
  assert.equal(rest[gap + 1], TEST_ORIGIN);
  assert.equal(rest[gap + 2], '323');
});

test('a receipt verifies with the public key alone, and gives the entry', async () => {
  const verified = await verifyReceipt(TEXT, VKEYS);
  assert(verified.ok);
  assert.deepEqual(verified.entry, { ...SAMPLE, kind: 'sample', v: 1 });
  assert.equal(verified.origin, TEST_ORIGIN);
  assert.deepEqual([verified.index, verified.size], [301, 323]);
  assert.deepEqual(verified.signedBy, [SIGNER.vkey]);
  assert.equal(verified.metadata, METADATA);
  const bare = await verifyReceipt(formatReceipt({ ...RECEIPT, metadata: null }), VKEYS);
  assert(bare.ok);
  assert.equal(bare.metadata, null);
});

test('verifyReceipt names the step that broke', async () => {
  const other = testSigner(9);
  const id = sampleId({ ...SAMPLE, index: 1 });
  const wrongId = encodeSampleEntry({ ...SAMPLE, id });
  const foreign = await MemoryLog.of(testEntries(1), [SIGNER], 'elsewhere.example/log/0');
  const foreignEntry = foreign.entries[1] ?? '';
  const broken: Record<string, string> = {
    format: TEXT.replace('@v1', '@v2'),
    checkpoint: TEXT.replace(`\n\n${TEST_ORIGIN}\n323\n`, `\n\n${TEST_ORIGIN}\n0323\n`),
    signature: TEXT.replace(`\n\n${TEST_ORIGIN}\n323\n`, `\n\n${TEST_ORIGIN}\n322\n`),
    origin: formatReceipt(
      await makeReceipt(
        {
          entry: foreignEntry,
          metadata: null,
          index: 1,
          checkpoint: await foreign.readCheckpoint(),
        },
        (level, index, width) => foreign.readTile(level, index, width),
      ),
    ),
    inclusion: formatReceipt({
      ...RECEIPT,
      entry: RECEIPT.entry.replace('"volume":"0.5"', '"volume":"9.5"'),
    }),
    entry: formatReceipt(await receiptOf(RECEIPT.entry.replace(':', ': '), null)),
    sample_id: formatReceipt(await receiptOf(wrongId, null)),
    metadata: formatReceipt({ ...RECEIPT, metadata: METADATA.replace('2', '3') }),
  };
  for (const [step, text] of Object.entries(broken)) {
    assert.notEqual(text, TEXT, step);
    const verdict = await verifyReceipt(text, VKEYS);
    assert.equal(verdict.ok ? 'verified' : verdict.step, step);
  }
  const unknown = await verifyReceipt(TEXT, { vkeys: [other.vkey] });
  assert.equal(unknown.ok ? '' : unknown.code, 'signature_missing');
  await assert.rejects(verifyReceipt(TEXT, { vkeys: ['nonsense'] }), code('vkey_invalid'));
});

test('a receipt with any one bit changed is refused', async () => {
  const bytes = Buffer.from(TEXT);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (place, bit) => {
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ (1 << bit);
      const text = changed.toString('utf8');
      const verdict = await verifyReceipt(text, VKEYS);
      assert(!verdict.ok, `bit ${bit} of byte ${place} goes unnoticed`);
    }),
    { numRuns: 1_000 },
  );
});

test('parseReceipt gives back what formatReceipt wrote, and refuses all else', () => {
  assert.equal(formatReceipt(parseReceipt(TEXT)), TEXT);
  const refused: Record<string, string> = {
    'nothing': '',
    'no checkpoint': TEXT.slice(0, TEXT.indexOf('\n\n') + 1),
    'no extra data': TEXT.replace(/extra .*\n/, ''),
    'extra data that is no base64': TEXT.replace(/extra .*\n/, 'extra ???\n'),
    'extra data that is no text': TEXT.replace(/extra .*\n/, 'extra //4=\n'),
    'extra data of three lines': formatReceipt({ ...RECEIPT, metadata: `${METADATA}\n` }),
    'an index with a zero before it': TEXT.replace('index 301', 'index 0301'),
    'a negative index': TEXT.replace('index 301', 'index -1'),
    'an index beyond all': TEXT.replace('index 301', 'index 9007199254740992'),
    'a short hash': TEXT.replace(/\n[^\n]{44}\n\n/, '\nAAAA\n\n'),
    'carriage returns': TEXT.replaceAll('\n', '\r\n'),
    'far too many hashes': formatReceipt({
      ...RECEIPT,
      proof: Array.from({ length: 54 }, () => new Uint8Array(32)),
    }),
    'far too much': `${TEXT}${'x'.repeat(2_000_000)}`,
  };
  for (const [what, text] of Object.entries(refused)) {
    assert.throws(() => parseReceipt(text), code('receipt_invalid'), what);
  }
});

test('a receipt by a later key verifies for who trusts the first key and has the key entries', async () => {
  const later = testSigner(5);
  const history = await missingKeyEntries([], [SIGNER], { now: SAMPLE.recorded_at });
  history.push(
    ...await missingKeyEntries(history, [later, SIGNER], { now: SAMPLE.recorded_at }),
  );
  const log = await MemoryLog.of(testEntries(1), [later]);
  const source = {
    entry: log.entries[1] ?? '',
    metadata: null,
    index: 1,
    checkpoint: await log.readCheckpoint(),
  };
  const text = formatReceipt(
    await makeReceipt(source, (level, index, width) => log.readTile(level, index, width)),
  );
  assert.equal((await verifyReceipt(text, VKEYS)).ok, false);
  const followed = await verifyReceipt(text, { ...VKEYS, keyEntries: history });
  assert.deepEqual(followed.ok && followed.signedBy, [later.vkey]);
});

test('makeReceipt gives no receipt that would not verify', async () => {
  const log = await MemoryLog.of(testEntries(3));
  const checkpoint = await log.readCheckpoint();
  const readTile = (level: number, index: number, width: number) =>
    log.readTile(level, index, width);
  const wrong = { entry: log.entries[1] ?? '', metadata: null, index: 2, checkpoint };
  await assert.rejects(makeReceipt(wrong, readTile), code('invariant_broken'));
  await assert.rejects(
    makeReceipt({ ...wrong, index: 4 }, readTile),
    code('index_out_of_range'),
  );
});

test('proveConsistency out of tiles shows that an earlier log is a prefix', async () => {
  const log = await MemoryLog.of(testEntries(600));
  for (const size of [1, 255, 256, 257, 600]) {
    const proof = await proveConsistency(
      size,
      601,
      (level, index, width) => log.readTile(level, index, width),
    );
    checkConsistency(
      { size, root: naiveRoot(log.leaves.slice(0, size)) },
      { size: 601, root: naiveRoot(log.leaves) },
      proof,
    );
  }
});
