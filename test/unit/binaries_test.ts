import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { findOrMakeProgram, findProgram, type SearchSettings } from '../../cli/binaries.ts';
import { type Archive, goArch, PROGRAMS } from '../../cli/programs.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'nepho-binaries-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with a `nats-server` that says it has that version. */
function folderWith(version: string): string {
  const dir = mkdtempSync(path.join(folder, 'bin-'));
  writeScript(path.join(dir, 'nats-server'), `echo "nats-server: v${version}"`);
  return dir;
}

function writeScript(file: string, body: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}

function settings(changes: Partial<SearchSettings> = {}): SearchSettings {
  const binDir = path.join(mkdtempSync(path.join(folder, 'cache-')), 'bin');
  return { temporalCli: null, natsServer: null, binDir, searchPath: [], ...changes };
}

/** Serves a release with that program in it. */
async function release(version: string) {
  const dir = folderWith(version);
  const file = path.join(folder, 'release.tar.gz');
  execFileSync('tar', ['-czf', file, '-C', dir, 'nats-server']);
  const bytes = readFileSync(file);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const server = createServer((request, response) => {
    response.end(request.url === '/SHA256SUMS' ? `${sha256}  release.tar.gz\n` : bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const base = `http://127.0.0.1:${address.port}`;
  return {
    archive: (checksum: Archive['checksum'] = { list: `${base}/SHA256SUMS` }) => () => ({
      url: `${base}/release.tar.gz`,
      member: 'nats-server',
      checksum,
    }),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

test('findProgram passes over a program in PATH that is too old', async () => {
  const [old, recent] = [folderWith('2.9.10'), folderWith('2.10.0')];
  assert.equal(await findProgram('nats-server', settings({ searchPath: [old] })), null);
  assert.equal(
    await findProgram('nats-server', settings({ searchPath: [old, recent] })),
    path.join(recent, 'nats-server'),
  );
});

test('findProgram never takes another program of the name of fsck', async () => {
  const dir = mkdtempSync(path.join(folder, 'sbin-'));
  writeScript(path.join(dir, 'fsck'), 'exit 0');
  assert.equal(await findProgram('fsck', settings({ searchPath: [dir] })), null);
});

test('findProgram refuses a faulty program that a variable names, and says why', async () => {
  const natsServer = path.join(folderWith('2.9.10'), 'nats-server');
  await assert.rejects(findProgram('nats-server', settings({ natsServer })), {
    code: 'program_unusable',
    message:
      `Cannot use '${natsServer}', which NEPHO_NATS_SERVER names: it is 2.9, too old: 2.10 is needed; name another or unset the variable`,
  });
  await assert.rejects(
    findProgram('nats-server', settings({ natsServer: '/nowhere/nats-server' })),
    { code: 'program_unusable' },
  );
});

test('findOrMakeProgram builds with Go, once, and says so', async () => {
  const go = path.join(mkdtempSync(path.join(folder, 'go-')), 'go');
  writeScript(
    go,
    `printf '#!/bin/sh\\necho v2.12.15\\n' > $GOBIN/nats-server; chmod +x $GOBIN/nats-server`,
  );
  const where = settings();
  const said: string[] = [];
  const options = { go, say: (line: string) => said.push(line) };
  const made = await findOrMakeProgram('nats-server', where, options);
  assert.equal(made, path.join(where.binDir, 'nats-server'));
  assert.equal(await findOrMakeProgram('nats-server', where, options), made);
  assert.deepEqual(said, [
    'Building nats-server 2.12.15 by `go install`, once: about 20 s on two cores',
  ]);
  assert.deepEqual(readdirSync(where.binDir), ['nats-server']);
});

test('findOrMakeProgram downloads where Go fails, and checks the digest', async () => {
  const go = path.join(mkdtempSync(path.join(folder, 'go-')), 'go');
  writeScript(go, 'echo "no route to proxy" >&2; exit 1');
  const { archive, close } = await release('2.12.15');
  const where = settings();
  const options = { go, archive: archive(), say: () => {} };
  assert.equal(
    await findOrMakeProgram('nats-server', where, options),
    path.join(where.binDir, 'nats-server'),
  );
  await close();
});

test('findOrMakeProgram does not use a download of another digest, and says what to install', async () => {
  const { archive, close } = await release('2.12.15');
  const where = settings();
  const options = { go: null, archive: archive({ sha256: 'ab'.repeat(32) }), say: () => {} };
  await assert.rejects(findOrMakeProgram('nats-server', where, options), (error: Error) => {
    assert.match(error.message, /^Cannot start nats-server 2\.12\.15: it is neither in PATH/);
    assert.match(error.message, /go is not installed; the download has the digest/);
    assert.match(
      error.message,
      /Install Go 1\.25 or newer, .* name its file by NEPHO_NATS_SERVER$/,
    );
    return true;
  });
  assert.deepEqual(readdirSync(where.binDir), []);
  await close();
});

test("a release's archive is pinned or listed for every platform that has one", () => {
  for (const platform of ['linux', 'darwin']) {
    for (const arch of ['x64', 'arm64']) {
      for (const name of ['temporal', 'nats-server'] as const) {
        assert.notEqual(PROGRAMS[name].archive(platform, goArch(arch)), null);
      }
    }
  }
  assert.equal(PROGRAMS.temporal.archive('plan9', 'amd64'), null);
});
