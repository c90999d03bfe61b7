import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { contentDigest, originKey, originOf, sampleId } from '../../ledger/identity.ts';
import { ExactNumber } from '../../meters/json.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { ledgerVectors } from '../support/ledger_vectors.ts';

const GOLDEN = join(import.meta.dirname, '../golden/ledger.json');
const DOCUMENT = join(import.meta.dirname, '../../docs/formats.md');

const vectors = await ledgerVectors();
// A changed format breaks every log and receipt that exists: whoever changes one has to ask for it.
if (process.env['NEPHO_WRITE_GOLDEN'] === '1') {
  writeFileSync(GOLDEN, `${JSON.stringify(vectors, null, 2)}\n`);
}
const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as typeof vectors;

test('ids, digests, entries, tree, checkpoint and receipt are what they always were', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(vectors)), golden);
});

test('the golden ids and leaves are plain SHA-256 of the bytes that docs/formats.md names', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const { identity } = golden;
  assert.equal(
    identity.origin_key,
    sha256('["openstack","0a2ba2b5-7d2b-4a3e-8d4d-6f1f4d3d2c1b"]').slice(0, 32),
  );
  assert.equal(
    identity.content_digest,
    sha256(
      '["compute.instance.exists","compute.host1","2026-01-31 23:59:59.123456",' +
        '{"instance_id":"b7f2","memory_mb":4096}]',
    ),
  );
  assert.equal(
    BigInt.asUintN(64, BigInt(identity.content_word)).toString(16).padStart(16, '0'),
    identity.content_digest.slice(0, 16),
  );
  assert.equal(
    identity.sample_id,
    sha256(
      '["openstack","0a2ba2b5-7d2b-4a3e-8d4d-6f1f4d3d2c1b","memory","b7f2",0]',
    ).slice(0, 32),
  );
  for (const { entry, leaf } of golden.entries) assert.equal(leaf, sha256(`\0${entry}`));
  assert.equal(golden.metadata.digest, sha256(golden.metadata.canonical));
  assert.equal(golden.definitions.digest, sha256(golden.definitions.digests));
});

test('the golden receipt verifies by either of the keys that sign while a rotation overlaps', async () => {
  for (const vkey of golden.keys) {
    const verdict = await verifyReceipt(golden.receipt, { vkeys: [vkey] });
    assert(verdict.ok, JSON.stringify(verdict));
    assert.equal(verdict.metadata, golden.metadata.canonical);
  }
});

test('an origin id is the message id, else the CloudEvent, else a digest of the content', () => {
  const { notification, ...expected } = golden.identity;
  assert.equal(originOf(notification), notification.messageId);
  const cloudEvent = { id: 'A234-1234', source: '/openstack/nova' };
  assert.equal(originOf({ ...notification, cloudEvent }), notification.messageId);
  const anonymous = { ...notification, messageId: null };
  assert.equal(originOf({ ...anonymous, cloudEvent }), '/openstack/nova#A234-1234');
  assert.equal(originOf(anonymous), `sha256:${expected.content_digest}`);
  // What a republished copy may change is not part of the content; all else is.
  const other = { ...anonymous, payload: { instance_id: 'b7f2', memory_mb: 4097 } };
  assert.notEqual(contentDigest(other), contentDigest(anonymous));
});

test('a number that no double holds counts in the content by its digits', () => {
  const digest = contentDigest({
    ...golden.identity.notification,
    payload: [new ExactNumber('12345678901234567890')],
  });
  const expected = createHash('sha256').update(
    '["compute.instance.exists","compute.host1","2026-01-31 23:59:59.123456",' +
      '[{"text":"12345678901234567890"}]]',
  ).digest('hex');
  assert.equal(digest, expected);
});

test('no two different origins give the same key or id by running their parts together', () => {
  assert.notEqual(originKey('a', 'b,c'), originKey('a,b', 'c'));
  assert.notEqual(originKey('a"', 'b'), originKey('a', '"b'));
  const parts = { source: 's', origin: 'o', meter: 'm', resource_id: 'r', index: 0 };
  const ids = [
    parts,
    { ...parts, index: 1 },
    { ...parts, meter: 'm1' },
    { ...parts, meter: 'mr', resource_id: '' },
    { ...parts, origin: 'o","m' },
  ].map(sampleId);
  assert.equal(new Set(ids).size, ids.length);
});

test('docs/formats.md quotes the golden vectors', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const { identity, entries, tree, keys } = golden;
  const quoted = [
    ...Object.values(identity).filter((value) => typeof value === 'string'),
    golden.metadata.canonical,
    golden.metadata.digest,
    golden.definitions.digests,
    golden.definitions.digest,
    ...entries.flatMap(({ entry, leaf }) => [entry, leaf]),
    tree.root,
    ...keys,
    golden.checkpoint,
    golden.receipt,
  ];
  for (const text of quoted) {
    assert(document.includes(text), `docs/formats.md does not quote ${text}`);
  }
});
