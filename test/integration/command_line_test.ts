import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { childEnvironment, PROJECT_DIR } from '../../cli/env.ts';
import { ownCommand } from '../../cli/own_program.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'nepho-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Variables of the tests' own surroundings must not decide what a command does. */
const BARE = {
  NEPHO_HOME: folder,
  NEPHO_URL: '',
  NEPHO_TOKEN: '',
  DATABASE_URL: '',
  NEPHO_NATS_URL: '',
  NEPHO_TEMPORAL_ADDRESS: '',
};

function nepho(args: string[], environment: Record<string, string> = {}) {
  const { command, args: all } = ownCommand(...args);
  const { status, stdout, stderr } = spawnSync(command, all, {
    cwd: PROJECT_DIR,
    env: childEnvironment({ ...BARE, ...environment }),
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** One sentence, no stack trace. */
function assertSentence(text: string): void {
  assert.equal(text.trim().split('\n').length, 1, text);
  assert.doesNotMatch(text, /^\s+at |node:internal|\bError:/);
}

test('an unknown flag is one sentence and status 2', () => {
  const { status, stdout, stderr } = nepho(['start', '--onse']);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assertSentence(stderr);
  assert.match(stderr, /unknown option '--onse' \(Did you mean --once\?\)/);
});

test('an unknown command is one sentence and status 2', () => {
  const { status, stderr } = nepho(['sampels']);
  assert.equal(status, 2);
  assertSentence(stderr);
  assert.match(stderr, /unknown command 'sampels' \(Did you mean samples\?\)/);
});

test('a missing argument and a value out of its range are one sentence and status 2', () => {
  for (const args of [['verify'], ['start', '--port', 'seventy'], ['start', '--port', '70000']]) {
    const { status, stderr } = nepho(args);
    assert.equal(status, 2, stderr);
    assertSentence(stderr);
  }
});

test('help names every command and is no failure', () => {
  const { status, stdout, stderr } = nepho(['--help']);
  assert.equal(status, 0, stderr);
  const commands =
    'start send definitions meters samples statistics resources explain quarantine ' +
    'actors log receipt verify keys worker api bridge migrate';
  for (const command of commands.split(' ')) {
    assert.match(stdout, new RegExp(`^  ${command}\\b`, 'm'));
  }
});

test('help is shown where no command is named, with status 2', () => {
  const { status, stdout, stderr } = nepho([]);
  assert.equal(status, 2);
  assert.match(stdout + stderr, /Usage: nepho/);
});

test('a wrong configuration tells every fault, and status 1', () => {
  const { status, stderr } = nepho(['worker'], {
    NEPHO_SHARDS: 'many',
    DATABASE_URL: 'mysql://x/y',
  });
  assert.equal(status, 1);
  assert.match(stderr, /2 variables are wrong/);
  assert.match(stderr, /NEPHO_SHARDS: 'many' is not a whole number/);
  assert.match(stderr, /DATABASE_URL: its value is not a PostgreSQL address/);
});

test('a deployed part without its servers names every variable that lacks', () => {
  const { status, stderr } = nepho(['worker']);
  assert.equal(status, 1);
  assertSentence(stderr);
  for (const name of ['DATABASE_URL', 'NEPHO_NATS_URL', 'NEPHO_TEMPORAL_ADDRESS']) {
    assert.match(stderr, new RegExp(name));
  }
});

test('a reading command without a running system says how to start one', () => {
  const { status, stderr } = nepho(['meters']);
  assert.equal(status, 1);
  assertSentence(stderr);
  assert.match(stderr, /npm start.*\(not_running\)/);
});

test('servers that do not answer are one sentence with their address, without its password', () => {
  const { status, stderr } = nepho(['migrate'], {
    DATABASE_URL: 'postgres://nepho:hunt3r@127.0.0.1:1/nepho',
  });
  assert.equal(status, 1);
  assertSentence(stderr);
  assert.doesNotMatch(stderr, /hunt3r/);
});

test('definitions check tells each fault with its place, and status 1', () => {
  const file = path.join(folder, 'faulty.yaml');
  writeFileSync(file, 'metric:\n  - name: x\n    event_type: y\n    type: gage\n    unit: B\n');
  const { status, stdout } = nepho(['definitions', 'check', file]);
  assert.equal(status, 1);
  assert.match(stdout, /faulty\.yaml:4:\d+: /);
});

test('definitions try prints one JSON a line with no server running', () => {
  const fixture = path.join(PROJECT_DIR, 'test', 'fixtures', 'notifications', 'little_cloud.jsonl');
  const bodies = readFileSync(fixture, 'utf8').trim().split('\n').map((line) =>
    JSON.parse(line).body
  );
  const file = path.join(folder, 'notifications.jsonl');
  writeFileSync(file, bodies.join('\n'));
  const { status, stdout } = nepho(['definitions', 'try', file]);
  assert.equal(status, 0);
  const samples = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(samples.length > bodies.length, `${samples.length} samples`);
  assert.ok(samples.every(({ id }) => /^[0-9a-f]{32}$/.test(id)));
});
