import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import test, { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { startGuarded } from '../../cli/guarded_child.ts';
import { lockHome } from '../../cli/home_lock.ts';
import { choosePort } from '../../cli/ports.ts';
import { Supervisor } from '../../cli/processes.ts';
import { PROJECT_DIR } from '../../cli/env.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'nepho-processes-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const logFile = path.join(folder, 'child.log');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid) && !isZombie(pid)) await delay(10);
}

/** Dead, but its parent did not look yet: some containers' first process never does. */
function isZombie(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** Starts a shell command under guard, which prints one line when it is ready. */
async function startShell(name: string, script: string) {
  let ready: (line: string) => void = () => {};
  const firstLine = new Promise<string>((resolve) => ready = resolve);
  const args = ['-c', script];
  const child = await startGuarded({ name, command: 'sh', args, logFile, onLine: (l) => ready(l) });
  return { child, firstLine };
}

/** Runs a module's source in a process of its own and waits for its first line. */
async function runModule(source: string): Promise<{ child: ChildProcess; line: string }> {
  const file = path.join(folder, `${process.hrtime.bigint()}.mts`);
  const imports = source.replaceAll("'@/", `'${pathToFileURL(PROJECT_DIR).href}/`);
  writeFileSync(file, imports);
  const child = spawn('node', ['--import=tsx', file], {
    cwd: PROJECT_DIR,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) => {
    createInterface(child.stdout).once('line', resolve);
  });
  return { child, line };
}

test('a guarded child and what it started end at stop, with its own status', async () => {
  const { child, firstLine } = await startShell(
    'obedient',
    'trap "exit 7" TERM; sleep 60 & echo $! ; wait',
  );
  const grandchild = Number(await firstLine);
  assert.ok(isAlive(grandchild));
  const stopped = child.stop(2_000);
  assert.equal(await child.ended, 7);
  await stopped;
  await gone(grandchild);
});

test('a guarded child that ignores TERM is killed after its grace', async () => {
  const { child, firstLine } = await startShell(
    'deaf',
    'trap "" TERM; echo $$; while :; do sleep 1; done',
  );
  const pid = Number(await firstLine);
  await child.stop(100);
  await gone(pid);
});

test('a guarded child ends when its parent is killed by kill -9', async () => {
  const parent = await runModule(`
    import { startGuarded } from '@/cli/guarded_child.ts';
    await startGuarded({
      name: 'orphan',
      command: 'sh',
      args: ['-c', 'echo $$; exec sleep 60'],
      logFile: '${logFile}',
      onLine: (line) => console.log(line),
    });
    setInterval(() => {}, 1000);
  `);
  const pid = Number(parent.line);
  assert.ok(isAlive(pid));
  parent.child.kill('SIGKILL');
  await gone(pid);
});

test('until tells what a child said last when it ends before it is ready', async () => {
  const { child } = await startShell('faulty', 'echo "no such option" >&2; exit 3');
  await assert.rejects(child.until(() => new Promise(() => {}), 60_000), (error: Error) => {
    assert.match(
      error.message,
      /Cannot run faulty: it ended with status 3, saying 'no such option'/,
    );
    return true;
  });
});

test('until gives up a child that is not ready in time', async () => {
  const { child } = await startShell('slow', 'sleep 60');
  await assert.rejects(
    child.until(() => new Promise(() => {}), 50),
    /slow: it is not ready after 0.05 s/,
  );
  await child.stop(1_000);
});

test('Supervisor stops the last started first and tells of no failure then', async () => {
  const order = path.join(folder, 'order');
  const failures: string[] = [];
  const supervisor = new Supervisor(({ message }) => failures.push(message));
  for (const name of ['first', 'second', 'third']) {
    let ready: () => void = () => {};
    const started = new Promise<void>((resolve) => ready = resolve);
    const script =
      `trap 'echo ${name} >> ${order}; exit 0' TERM; echo ok; while :; do sleep 0.05; done`;
    await supervisor.start({
      name,
      command: 'sh',
      args: ['-c', script],
      logFile,
      onLine: () => ready(),
    });
    await started;
  }
  await supervisor.stop();
  assert.deepEqual(readFileSync(order, 'utf8').trim().split('\n'), ['third', 'second', 'first']);
  assert.deepEqual(failures, []);
});

test('Supervisor tells of a part that ends by itself', async () => {
  let tell: (failure: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => tell = resolve);
  const supervisor = new Supervisor((error) => tell(error));
  await supervisor.start({ name: 'short', command: 'sh', args: ['-c', 'exit 5'], logFile });
  assert.match((await failed).message, /^Cannot run short: it ended with status 5/);
  await supervisor.stop();
});

test('lockHome lets one process in, and the next after a kill -9', async () => {
  const home = path.join(folder, 'home');
  const holder = await runModule(`
    import { lockHome } from '@/cli/home_lock.ts';
    lockHome('${home}');
    console.log('locked');
    setInterval(() => {}, 1000);
  `);
  assert.throws(() => lockHome(home), { code: 'home_in_use' });
  const ended = new Promise((resolve) => holder.child.once('exit', resolve));
  holder.child.kill('SIGKILL');
  await ended;
  const release = lockHome(home);
  assert.equal(statSync(home).mode & 0o077, 0);
  assert.throws(() => lockHome(home), { code: 'home_in_use' });
  release();
  lockHome(home)();
});

test('choosePort takes the next port for the usual one, never for one that was asked for', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const where = { usual: address.port, host: '127.0.0.1' };
  const chosen = await choosePort({ ...where, asked: null });
  assert.ok(chosen > address.port);
  await assert.rejects(choosePort({ ...where, asked: address.port }), { code: 'address_in_use' });
  await new Promise((resolve) => server.close(resolve));
});
