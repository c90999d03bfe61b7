import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { encodeEntry, parseEntry } from '../../ledger/entry.ts';
import { type KeyEntry, missingKeyEntries, signersInForce } from '../../ledger/key_entry.ts';
import { createKeyFile, loadSigners, readKeyFile } from '../../ledger/key_file.ts';
import { followKeys, keysInForce } from '../../ledger/keyring.ts';
import { createSigner, generateSigningKey, type Signer } from '../../ledger/signer.ts';
import { testKeyPem, testSigner } from '../support/test_signer.ts';

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

const DAY_1 = '2026-01-01T00:00:00.000000Z';
const DAY_2 = '2026-02-01T00:00:00.000000Z';
const DAY_3 = '2026-03-01T00:00:00.000000Z';
const WEEK_MS = 7 * 24 * 3_600_000;
const [A, B, C] = [testSigner(0), testSigner(1), testSigner(2)] as const;

async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nepho-keys-'));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}

/** The `key` entries of a log whose signers changed from one list to the next. */
async function rotate(...stages: { signers: Signer[]; now: string }[]): Promise<KeyEntry[]> {
  const history: KeyEntry[] = [];
  for (const { signers, now } of stages) {
    history.push(...await missingKeyEntries(history, signers, { now, overlapMs: WEEK_MS }));
  }
  return history;
}

test('a key file is made for its owner alone, never overwritten, and signs', async (context) => {
  const path = join(await temporaryDirectory(context), 'signing.pem');
  await createKeyFile(path);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const pem = await readFile(path, 'utf8');
  const [signer] = await loadSigners({ name: 'nepho.example', files: [path] });
  assert.equal(signer?.vkey, createSigner('nepho.example', pem).vkey);
  await assert.rejects(createKeyFile(path), code('signing_key_exists'));
  assert.equal(await readFile(path, 'utf8'), pem);
});

test('a key file that others may touch is refused, with the command that mends it', async (context) => {
  const path = join(await temporaryDirectory(context), 'signing.pem');
  await createKeyFile(path);
  for (const mode of [0o640, 0o604, 0o620, 0o601]) {
    await chmod(path, mode);
    await assert.rejects(readKeyFile(path), (error: Error) => {
      assert(error.message.includes(`chmod 600 '${path}'`), error.message);
      return code('signing_key_exposed')(error);
    });
  }
  await chmod(path, 0o400);
  await readKeyFile(path);
});

test('there is no default key: none, a missing or a damaged one is an error without the key in it', async (context) => {
  const name = 'nepho.example';
  await assert.rejects(loadSigners({ name }), code('signing_key_missing'));
  const path = join(await temporaryDirectory(context), 'signing.pem');
  await assert.rejects(loadSigners({ name, files: [path] }), code('signing_key_missing'));
  await writeFile(path, 'SECRETSECRET', { mode: 0o600 });
  await assert.rejects(loadSigners({ name, files: [path] }), (error: Error) => {
    assert(!JSON.stringify([error.message, error.stack, error.cause]).includes('SECRET'));
    return code('signing_key_invalid')(error);
  });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    .export({ format: 'pem', type: 'pkcs8' }).toString();
  await assert.rejects(loadSigners({ name, values: [rsa] }), code('signing_key_invalid'));
  await assert.rejects(
    loadSigners({ name: 'two words', values: [testKeyPem()] }),
    code('key_name_invalid'),
  );
  await assert.rejects(
    loadSigners({ name, values: [testKeyPem(), testKeyPem()] }),
    code('signing_key_invalid'),
  );
});

test('a key from the environment may stand on one line', async () => {
  const pem = testKeyPem();
  const [signer] = await loadSigners({
    name: 'nepho.example',
    values: [pem.trim().replaceAll('\n', '\\n')],
  });
  assert.equal(signer?.vkey, A.vkey);
  assert.notEqual(generateSigningKey(), generateSigningKey());
});

test('a log learns each key once, the first without, later ones with an endorsement', async () => {
  const history = await rotate(
    { signers: [A], now: DAY_1 },
    { signers: [A], now: DAY_2 },
    { signers: [B, A], now: DAY_2 },
    { signers: [B, A], now: DAY_3 },
    { signers: [C, B], now: DAY_3 },
  );
  assert.deepEqual(history.map((entry) => [entry.vkey, entry.previous]), [
    [A.vkey, null],
    [B.vkey, A.vkey],
    [C.vkey, B.vkey],
  ]);
  assert.deepEqual(history.map((entry) => entry.overlap_until), [
    null,
    '2026-02-08T00:00:00.000000Z',
    '2026-03-08T00:00:00.000000Z',
  ]);
  for (const entry of history) assert.deepEqual(parseEntry(encodeEntry(entry)), entry);
  assert.equal(history[0]?.endorsement, null);
  // A fresh log that starts in the middle of a rotation learns the older key first.
  const fresh = await rotate({ signers: [B, A], now: DAY_2 });
  assert.deepEqual(fresh.map((entry) => entry.vkey), [A.vkey, B.vkey]);
});

test('a key is not changed without the one before it, unless that is said to be lost', async () => {
  const history = await rotate({ signers: [A], now: DAY_1 });
  await assert.rejects(
    missingKeyEntries(history, [B], { now: DAY_2 }),
    code('signing_key_unendorsed'),
  );
  await assert.rejects(
    missingKeyEntries(history, [B], { now: DAY_2, unendorsedKey: C.vkey }),
    code('signing_key_unendorsed'),
    'only the key that was named is let in',
  );
  const lost = await missingKeyEntries(history, [B], { now: DAY_2, unendorsedKey: B.vkey });
  assert.deepEqual(lost.map((entry) => [entry.previous, entry.endorsement]), [[A.vkey, null]]);
  const keyring = await followKeys([A.vkey], [...history, ...lost]);
  assert.deepEqual(keyring.keys.map(({ key }) => key.vkey), [A.vkey]);
  assert.deepEqual(keyring.unfollowed, [B.vkey]);
  assert.equal(keyring.keys[0]?.retiredAt, null, 'nobody else can retire a key');
});

test('signersInForce lets the newest sign first, and a retired key no more', async () => {
  const history = await rotate({ signers: [A], now: DAY_1 }, { signers: [B, A], now: DAY_2 });
  const names = (signers: Signer[]) => signers.map((signer) => signer.vkey);
  const during = '2026-02-07T00:00:00.000000Z';
  assert.deepEqual(names(signersInForce(history, [A, B], during)), names([B, A]));
  assert.deepEqual(names(signersInForce(history, [B, A], DAY_3)), names([B]));
  assert.throws(() => signersInForce(history, [A], DAY_3), code('signing_key_retired'));
});

test('who trusts the first key follows every rotation', async () => {
  const history = await rotate(
    { signers: [A], now: DAY_1 },
    { signers: [B, A], now: DAY_2 },
    { signers: [C, B], now: DAY_3 },
  );
  const keyring = await followKeys([A.vkey], history);
  assert.deepEqual(keyring.keys.map(({ key }) => key.vkey), [A.vkey, B.vkey, C.vkey]);
  assert.deepEqual(keyring.unfollowed, []);
  const inForce = (at: string | null) => keysInForce(keyring, at).map(({ vkey }) => vkey);
  assert.deepEqual(inForce(DAY_2), [A.vkey, B.vkey, C.vkey]);
  assert.deepEqual(inForce(DAY_3), [B.vkey, C.vkey]);
  assert.deepEqual(inForce('2026-04-01T00:00:00.000000Z'), [C.vkey]);
  assert.equal(inForce(null).length, 3);
});

test('a rotation that was tampered with is not followed', async () => {
  const history = await rotate({ signers: [A], now: DAY_1 }, { signers: [B, A], now: DAY_2 });
  const [first, second] = history;
  assert(first !== undefined && second !== undefined);
  const forged: Record<string, KeyEntry> = {
    'another key': { ...second, vkey: C.vkey },
    'another start': { ...second, not_before: DAY_1 },
    'a longer overlap': { ...second, overlap_until: DAY_3 },
    'another endorsement': { ...second, endorsement: first.endorsement ?? 'AAAA' },
    'no endorsement': { ...second, endorsement: null },
    'a key that is none': { ...second, vkey: 'nonsense' },
    'endorsed by a stranger': (await rotate({ signers: [C], now: DAY_1 }, {
      signers: [B, C],
      now: DAY_2,
    })).at(-1) ?? first,
  };
  for (const [what, entry] of Object.entries(forged)) {
    const keyring = await followKeys([A.vkey], [first, entry]);
    assert.deepEqual(keyring.keys.map(({ key }) => key.vkey), [A.vkey], what);
    assert.equal(keyring.unfollowed.length, 1, what);
  }
});
