import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatCheckpoint,
  formatCheckpointText,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointText,
} from '../../ledger/checkpoint.ts';
import { verifyEd25519, verifyEd25519ByWebCrypto } from '../../ledger/ed25519.ts';
import { EMPTY_ROOT } from '../../ledger/merkle.ts';
import { formatNote, parseNote, signNote, verifyNote } from '../../ledger/note.ts';
import { makeVerifierKey, parseVkey } from '../../ledger/vkey.ts';
import { testSigner } from '../support/test_signer.ts';

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

// The example of the documentation of Go's package golang.org/x/mod/sumdb/note.
const GO_VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_NOTE = 'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n\n" +
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

test('a note that Go signed is verified, and altered by one character refused', async () => {
  const key = parseVkey(GO_VKEY);
  assert.deepEqual(await verifyNote(parseNote(GO_NOTE), [key]), [key]);
  for (const [from, to] of [['problem,', 'problem.'], ['x08go/ZJ', 'x08go/ZK']] as const) {
    const altered = parseNote(GO_NOTE.replace(from, to));
    await assert.rejects(verifyNote(altered, [key]), code('signature_invalid'));
  }
  const [signature] = parseNote(GO_NOTE).signatures;
  assert.equal(signature?.keyId, 'c74f20a3');
});

test('both ways of verifying Ed25519 agree, for good and bad signatures', async () => {
  const signer = testSigner();
  for (const message of [new Uint8Array(), Buffer.from('a'), new Uint8Array(5000)]) {
    const signature = Uint8Array.from(await signer.sign(message));
    const altered = Uint8Array.from(signature);
    altered[3] = (altered[3] ?? 0) ^ 1;
    for (const verify of [verifyEd25519, verifyEd25519ByWebCrypto]) {
      assert.equal(await verify(signer.publicKey, message, signature), true);
      assert.equal(await verify(signer.publicKey, message, altered), false);
      assert.equal(await verify(signer.publicKey, message, signature.subarray(1)), false);
      assert.equal(await verify(signer.publicKey.subarray(1), message, signature), false);
      assert.equal(await verify(testSigner(1).publicKey, message, signature), false);
    }
  }
});

test('parseNote gives back what formatNote wrote', () => {
  const names = fc.string({ minLength: 1, maxLength: 20 }).map((name) =>
    name.replaceAll(/[^a-z]/g, 'x')
  );
  const notes = fc.record({
    text: fc.string({ unit: fc.constantFrom('a', '\n', '—', ' ', '☃') }).map((text) => `${text}\n`),
    signatures: fc.array(
      fc.record({
        name: names,
        keyId: fc.nat(0xffffffff).map((id) => id.toString(16).padStart(8, '0')),
        signature: fc.uint8Array({ minLength: 1, maxLength: 70 }),
      }),
      { minLength: 1, maxLength: 20 },
    ),
  });
  fc.assert(fc.property(notes, (note) => {
    const parsed = parseNote(formatNote(note));
    assert.equal(parsed.text, note.text);
    assert.deepEqual(
      parsed.signatures.map((one) => [one.name, one.keyId, [...one.signature]]),
      note.signatures.map((one) => [one.name, one.keyId, [...one.signature]]),
    );
    assert.equal(formatNote(parsed), formatNote(note));
  }));
});

test('parseNote refuses every text that is no note', () => {
  const line = '— name AAAAAAA=\n';
  const refused: Record<string, string> = {
    'no signature': 'text\n\n',
    'no empty line': `text\n${line}`,
    'no last newline': `text\n\n${line}`.slice(0, -1),
    'a hyphen for a dash': 'text\n\n- name AAAAAAA=\n',
    'no name': 'text\n\n—  AAAAAAA=\n',
    'plus in a name': 'text\n\n— na+me AAAAAAA=\n',
    'space in a name': 'text\n\n— na\u00a0me AAAAAAA=\n',
    'two spaces': 'text\n\n— name  AAAAAAA=\n',
    'a word too many': 'text\n\n— name AAAAAAA= x\n',
    'no base64': 'text\n\n— name !!!!\n',
    'base64 without padding': 'text\n\n— name AAAAAAA\n',
    'base64 with bits to spare': 'text\n\n— name AAAAAAB=\n',
    'a key id alone': 'text\n\n— name AAAAAA==\n',
    'a carriage return': `text\r\n\n${line}`,
    'a tab': `te\txt\n\n${line}`,
    'half a surrogate pair': `te\ud800xt\n\n${line}`,
    'too many signatures': `text\n\n${line.repeat(65)}`,
    'too much text': `${'x'.repeat(1_000_001)}\n\n${line}`,
  };
  for (const [what, note] of Object.entries(refused)) {
    assert.throws(() => parseNote(note), code('note_invalid'), what);
  }
  assert.equal(parseNote(`text\n\n${line}`).text, 'text\n');
});

test('verifyNote asks for one trusted signature, ignores unknown ones, and lets no trusted one be wrong', async () => {
  const [ours, other, unknown] = [testSigner(0), testSigner(1), testSigner(2)];
  const key = (signer: { vkey: string }) => parseVkey(signer.vkey);
  const text = 'nepho.example/log/0\n1\n';
  const note = parseNote(await signNote(text, [unknown, other, ours]));
  const signedBy = await verifyNote(note, [key(ours), key(other)]);
  assert.deepEqual(signedBy.map(({ vkey }) => vkey), [ours.vkey, other.vkey]);
  const foreign = parseNote(await signNote(text, [unknown]));
  await assert.rejects(verifyNote(foreign, [key(ours)]), code('signature_missing'));
  await assert.rejects(verifyNote(foreign, []), code('signature_missing'));
  const [bad] = parseNote(await signNote('another text\n', [other])).signatures;
  assert(bad !== undefined);
  const mixed = { text, signatures: [...note.signatures.slice(0, 1), bad, ...note.signatures] };
  await assert.rejects(verifyNote(mixed, [key(ours), key(other)]), code('signature_invalid'));
});

test('signNote refuses to sign without a key, and texts that a note cannot hold', async () => {
  await assert.rejects(signNote('text\n', []), code('signing_key_missing'));
  await assert.rejects(signNote('te\rxt\n', [testSigner()]), code('note_invalid'));
});

test('parseVkey refuses keys of another name, id, type or length', () => {
  const { vkey, publicKey } = testSigner();
  assert.equal(parseVkey(vkey).vkey, vkey);
  assert.deepEqual([...parseVkey(vkey).publicKey], [...publicKey]);
  const refused = [
    '',
    'nepho.example',
    vkey.replace('nepho', 'nephi'),
    vkey.slice(0, -1),
    `${vkey} `,
    // From the tests of Go's package: a wrong length and an unknown algorithm, with fitting ids.
    'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
    'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  ];
  for (const text of refused) assert.throws(() => parseVkey(text), code('vkey_invalid'), text);
  for (const name of ['', 'a b', 'a+b', 'a\u2003b', 'a\nb', 'a\0b']) {
    assert.throws(() => makeVerifierKey(name, publicKey), code('key_name_invalid'), name);
  }
});

test('parseCheckpointText accepts only what formatCheckpointText writes', () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), (
    size,
    root,
  ) => {
    const text = formatCheckpointText({ origin: 'nepho.example/log/0', size, root });
    assert.equal(formatCheckpointText(parseCheckpointText(text)), text);
  }));
  const root = Buffer.from(EMPTY_ROOT).toString('base64');
  const refused = [
    '',
    `\n1\n${root}\n`,
    `o\n1\n${root}`,
    `o\n01\n${root}\n`,
    `o\n-1\n${root}\n`,
    `o\n1e3\n${root}\n`,
    `o\n\n${root}\n`,
    `o\n9007199254740992\n${root}\n`,
    `o\n1\n${root.slice(1)}\n`,
    `o\n1\n${root.replace('=', '')}\n`,
    `o\n1\n\n`,
    `o\n1\n${root}\nextension\n`,
  ];
  for (const text of refused) {
    assert.throws(() => parseCheckpointText(text), code('checkpoint_invalid'), text);
  }
});

test('openCheckpoint takes the word of a key only for logs below its own name', async () => {
  const signer = testSigner();
  const keys = [parseVkey(signer.vkey)];
  const head = { size: 0, root: EMPTY_ROOT };
  for (const origin of ['nepho.example', 'nepho.example/log/0']) {
    const opened = await openCheckpoint(
      await formatCheckpoint({ origin, ...head }, [signer]),
      keys,
    );
    assert.equal(opened.origin, origin);
  }
  for (const origin of ['nepho.examples/log/0', 'other.example/nepho.example/log/0']) {
    const note = await formatCheckpoint({ origin, ...head }, [signer]);
    assert.equal(parseCheckpoint(note).origin, origin);
    await assert.rejects(openCheckpoint(note, keys), code('origin_foreign'));
  }
});
