import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { readSettings, secretVariable } from '../../cli/env.ts';
import { findPollingFile, pollingSourceOf, readPollingFile } from '../../cli/polling_files.ts';
import { secretResolver } from '../../cli/secret_files.ts';
import { isNephoError } from '../../meters/errors.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'nepho-polling-'));
});
after(() => rm(directory, { recursive: true }));

async function written(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, content, { mode });
  await chmod(file, mode);
  return file;
}

function failsWith(code: string, pattern = /^Cannot /) {
  return (error: unknown) => {
    assert.ok(isNephoError(error), String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };
}

test('a secret comes from a variable as it is, or from a file without its last line end', async () => {
  const secret = secretResolver({
    baseDir: directory,
    variable: (name) => name === 'OS_PASSWORD' ? ' spaced ' : undefined,
  });
  assert.equal(await secret({ env: 'OS_PASSWORD' }), ' spaced ');
  const file = await written('one', 'p4ss\r\n');
  assert.equal(await secret({ file }), 'p4ss');
  assert.equal(await secret({ file: 'one' }), 'p4ss', 'beside polling.yaml');
  await written('two', 'a\n\n');
  assert.equal(await secret({ file: 'two' }), 'a\n');
  await symlink(file, path.join(directory, 'mounted'));
  assert.equal(await secret({ file: 'mounted' }), 'p4ss');
});

test('a secret that is not there has a sentence with its name alone', async () => {
  const secret = secretResolver({ baseDir: directory, variable: () => undefined });
  await assert.rejects(secret({ env: 'NOWHERE' }), failsWith('secret_missing', /'NOWHERE'/));
  await assert.rejects(secret({ file: 'nowhere' }), failsWith('secret_missing', /nowhere'/));
});

const modes = { skip: process.platform === 'win32' ? 'Windows has no modes' : false };

test('a secret that others can read is refused with the command that mends it', modes, async () => {
  const secret = secretResolver({ baseDir: directory });
  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o602]) {
    await written('exposed', 'p4ss', mode);
    await assert.rejects(
      secret({ file: 'exposed' }),
      failsWith('secret_file_exposed', /chmod 600 '.*exposed'/),
    );
  }
  await written('exposed', 'p4ss', 0o400);
  assert.equal(await secret({ file: 'exposed' }), 'p4ss');
});

const asRoot = {
  skip: process.getuid?.() === 0 ? false : 'only root can give a file to another user',
};

test('a secret that belongs to another user is refused', asRoot, async () => {
  const file = await written('foreign', 'p4ss');
  assert.equal(spawnSync('chown', ['12345', file]).status, 0);
  const secret = secretResolver({ baseDir: directory });
  await assert.rejects(secret({ file }), failsWith('secret_file_exposed', /chown 0 '/));
});

test('what is no secret file is refused and never waited for', modes, async () => {
  const secret = secretResolver({ baseDir: directory });
  await mkdir(path.join(directory, 'folder'), { mode: 0o700 });
  await assert.rejects(secret({ file: 'folder' }), failsWith('secret_invalid'));
  const pipe = path.join(directory, 'pipe');
  assert.equal(spawnSync('mkfifo', ['-m', '600', pipe]).status, 0);
  await assert.rejects(secret({ file: 'pipe' }), failsWith('secret_invalid', /no regular file/));
  await written('large', 'x'.repeat(65_537));
  await assert.rejects(secret({ file: 'large' }), failsWith('secret_invalid', /65536 bytes/));
  await written('empty', '\n');
  await assert.rejects(secret({ file: 'empty' }), failsWith('secret_invalid', /empty/));
  await written('binary', new Uint8Array([0xff, 0xfe]));
  await assert.rejects(secret({ file: 'binary' }), failsWith('secret_invalid', /UTF-8/));
});

test('secretVariable takes a variable as it stands', () => {
  assert.equal(secretVariable('A', { A: ' x ' }), ' x ');
  assert.equal(secretVariable('A', { A: '' }), undefined);
});

test('polling.yaml is that of NEPHO_POLLING_FILE, or in NEPHO_HOME, or in the working directory', async () => {
  assert.deepEqual(readSettings({ NEPHO_HOME: '/home/n' }).pollingFiles, [
    '/home/n/polling.yaml',
    path.resolve('polling.yaml'),
  ]);
  assert.deepEqual(readSettings({ NEPHO_POLLING_FILE: '/etc/p.yaml' }).pollingFiles, [
    '/etc/p.yaml',
  ]);
  const there = await written('there.yaml', 'sources: []\n');
  const absent = path.join(directory, 'absent.yaml');
  assert.equal(await findPollingFile([absent, there]), there);
  await assert.rejects(
    findPollingFile([absent]),
    failsWith('polling_file_missing', /absent\.yaml'.*NEPHO_POLLING_FILE/),
  );
});

test('a polling.yaml of more than a mebibyte is not read', async () => {
  const file = await written('huge.yaml', '#'.repeat(1024 * 1024 + 1));
  await assert.rejects(
    readPollingFile(file),
    failsWith('polling_file_unreadable', /1048576 bytes/),
  );
});

const GOOD = "sources: [{name: a, interval: 60, meters: ['*']}]\n";

test('a faulty file keeps the former one in force, and says why until it is mended', async () => {
  let nowMs = 0;
  const file = await written('watched.yaml', GOOD);
  const source = pollingSourceOf([file], { nowMs: () => nowMs });
  const first = await source.current();
  assert.equal(first.config.sources[0]?.name, 'a');
  assert.equal(source.fault, null);

  await written('watched.yaml', 'sources: [{name: b, interval: 5}]\n');
  assert.equal(await source.current(), first, 'not looked at again within ten seconds');
  assert.equal(source.fault, null);
  nowMs += 10_000;
  assert.equal(await source.current(), first);
  assert.match(source.fault ?? '', /watched\.yaml:1:11: key_missing: The source has no meters/);
  assert.equal(source.faults.length, 2);

  await rm(file);
  nowMs += 10_000;
  assert.equal(await source.current(), first);
  assert.match(source.fault ?? '', /there is no '.*watched\.yaml'/);

  await written('watched.yaml', GOOD.replace('name: a', 'name: c'));
  nowMs += 10_000;
  const mended = await source.current();
  assert.equal(mended.config.sources[0]?.name, 'c');
  assert.notEqual(mended.digest, first.digest);
  assert.deepEqual([source.fault, source.faults], [null, []]);
});

test('a file that came back as it was is in force again without a fault', async () => {
  let nowMs = 0;
  const file = await written('back.yaml', GOOD);
  const source = pollingSourceOf([file], { nowMs: () => nowMs });
  const first = await source.current();
  await rm(file);
  nowMs += 10_000;
  await source.current();
  assert.notEqual(source.fault, null);
  await written('back.yaml', GOOD);
  await utimes(file, 1, 1);
  nowMs += 10_000;
  assert.equal((await source.current()).digest, first.digest);
  assert.equal(source.fault, null);
});

test('faults that only a collector sees keep the former file in force too', async () => {
  const fault = { file: 'p', line: 1, column: 2, code: 'setting_invalid' as const };
  const file = await written('checked.yaml', GOOD);
  const source = pollingSourceOf([file], {
    nowMs: () => 0,
    check: () => [{ ...fault, message: 'No such target', remedy: 'Write one' }],
  });
  await assert.rejects(
    source.current(),
    failsWith('polling_faulty', /p:1:2: setting_invalid: No such target\. Write one/),
  );
});

test('without any configuration there is an error that may pass', async () => {
  const source = pollingSourceOf([path.join(directory, 'never.yaml')], { nowMs: () => 0 });
  await assert.rejects(source.current(), (error) => isNephoError(error) && error.retryable);
});
