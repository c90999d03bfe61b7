/**
 * The whole system as a newcomer starts it: `npm start -- --once` on a fresh home, then `npm start` on
 * the same one, ended by Ctrl-C.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import test, { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnvironment, PROJECT_DIR } from '../../cli/env.ts';
import { ownCommand } from '../../cli/own_program.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';

const skip = natsSkipReason() || temporalSkipReason();
const home = mkdtempSync(path.join(tmpdir(), 'nepho-start-'));
after(() => rmSync(home, { recursive: true, force: true }));

const EMBEDDED = {
  NEPHO_HOME: home,
  NEPHO_URL: '',
  NEPHO_TOKEN: '',
  DATABASE_URL: '',
  NEPHO_NATS_URL: '',
  NEPHO_TEMPORAL_ADDRESS: '',
};

interface Run {
  child: ChildProcess;
  /** What it printed so far on both outputs. */
  text: () => string;
  stdout: () => string;
  ended: Promise<number | null>;
}

function run(...words: string[]): Run {
  const { command, args } = ownCommand(...words);
  const child = spawn(command, args, { cwd: PROJECT_DIR, env: childEnvironment(EMBEDDED) });
  const chunks: string[] = [];
  const out: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    chunks.push(chunk);
    out.push(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, text: () => chunks.join(''), stdout: () => out.join(''), ended };
}

/** Waits for words in what a run prints; fails with all of it if the run ends without them. */
async function says({ text, ended }: Run, words: string): Promise<void> {
  let hasEnded = false;
  void ended.then(() => hasEnded = true);
  while (!text().includes(words)) {
    assert.ok(!hasEnded, text());
    await delay(50);
  }
}

/** Running processes that were started with the home in their environment, by the kernel's own list. */
function processesOfHome(command = ''): number[] {
  if (!existsSync('/proc/self')) return [];
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
        return environment.includes(`NEPHO_HOME=${home}`) && words.join(' ').endsWith(command);
      } catch {
        // It ended meanwhile, or is another user's.
        return false;
      }
    })
    .map(Number);
}

async function occupyPort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { server, port: address.port };
}

let firstSamples = 0;

test('a fresh home comes to a verified figure, and nothing is left running', { skip }, async () => {
  const once = run('start', '--once', '--port', '0');
  assert.equal(await once.ended, 0, once.text());
  const lines = once.stdout().trim().split('\n');
  const figure = JSON.parse(lines.at(-1) ?? '');
  assert.equal(figure.receipt_verified, true, once.text());
  assert.ok(figure.notifications > 3_000 && figure.samples > figure.notifications, lines.at(-1));
  assert.ok(figure.seconds_to_first_figure > 0);
  // Yesterday in UTC, whole, of two logs.
  assert.ok(figure.sealed_hours >= 40, lines.at(-1));
  const { statements, amendments, revisions, statement_verified } = figure;
  assert.deepEqual({ statements, amendments, revisions, statement_verified }, {
    statements: 5,
    amendments: 1,
    revisions: 1,
    statement_verified: true,
  });
  assert.match(once.stdout(), /^Amendment 1 to the statement of webshop for \S+: verified$/m);
  assert.match(
    once.stdout(),
    /^Its line \d+, explained\n {2}what +storage\.objects\.incoming\.bytes/m,
  );
  assert.match(once.stdout(), /^ {2}came by +objectstore\.http\.request, message [0-9a-f-]{36}$/m);
  for (const project of ['webshop', 'analytics', 'research', 'ci', 'archive']) {
    assert.match(once.stdout(), new RegExp(`^${project} +\\d+`, 'm'));
  }
  assert.match(once.stdout(), /^Receipt of sample [0-9a-f]{32}: verified$/m);
  assert.deepEqual(processesOfHome(), []);
  for (
    const secret of ['keys/signing.key', 'keys/operator.token', 'state.json', 'nats/nats.conf']
  ) {
    assert.equal(statSync(path.join(home, secret)).mode & 0o077, 0, secret);
  }
  firstSamples = figure.samples;
});

test('a port that is asked for and in use is named, and nothing is left', { skip }, async () => {
  const { server, port } = await occupyPort();
  const refused = run('start', '--port', String(port));
  assert.equal(await refused.ended, 1);
  assert.match(
    refused.text(),
    new RegExp(`Cannot listen on port ${port} of 127\\.0\\.0\\.1.*--port`),
  );
  assert.deepEqual(processesOfHome(), []);
  await new Promise((resolve) => server.close(resolve));
});

test(
  'a second start keeps the data, serves until Ctrl-C and leaves no process',
  { skip },
  async () => {
    const system = run('start', '--port', '0');
    await says(system, 'Ctrl-C ends everything');
    assert.ok(processesOfHome().length > 0 || !existsSync('/proc/self'));
    const statistics = run('statistics', '--json');
    assert.equal(await statistics.ended, 0, statistics.text());
    const { statistics: rows } = JSON.parse(statistics.stdout());
    const samples = rows.reduce((sum: number, { count }: { count: number }) => sum + count, 0);
    assert.ok(samples >= firstSamples, `${samples} of ${firstSamples} samples`);
    const workers = processesOfHome('nepho.mjs worker');
    for (const pid of workers) process.kill(pid, 'SIGKILL');
    if (workers.length > 0) await says(system, 'Starting it again');
    const another = run('start', '--once');
    assert.equal(await another.ended, 1);
    assert.match(another.text(), /process \d+ runs nepho there.*\(home_in_use\)/);
    // Not by child.kill, after which Deno reports the signal whatever the status was.
    assert.ok(system.child.pid !== undefined && process.kill(system.child.pid, 'SIGINT'));
    assert.equal(await system.ended, 0, system.text());
    assert.deepEqual(processesOfHome(), []);
    assert.ok(!existsSync(path.join(home, 'running.json')));
  },
);
