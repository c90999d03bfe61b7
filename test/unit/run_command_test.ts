import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import test, { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandRequest, runCommand, runToEnd } from '../../collectors/command/run_command.ts';
import { isNephoError, type NephoError } from '../../meters/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'nepho-command-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** A program of this test, by the lines of a shell. */
function script(name: string, body: string): string {
  const file = join(directory, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

function request(program: string, changes: Partial<CommandRequest> = {}): CommandRequest {
  return {
    program,
    args: [],
    debianPackage: 'coreutils',
    timeoutMs: 10_000,
    maxBytes: 10_000,
    signal: new AbortController().signal,
    ...changes,
  };
}

async function failure(wanted: CommandRequest): Promise<NephoError> {
  const error = await runCommand(wanted).then(() => null, (caught: unknown) => caught);
  assert(isNephoError(error), String(error));
  return error;
}

/** Waits until a condition holds; the limit only ends a test that fails. */
async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; !condition(); attempt += 1) {
    if (attempt > 200) throw new Error('the condition did not come true');
    await delay(20);
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is dead, only not yet waited for.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('runCommand hands arguments on as they are, without a shell', async () => {
  const args = ['%s|%s\\n', '$HOME; `id` "\'', 'ä'];
  const { stdout } = await runCommand(request('printf', { args }));
  assert.equal(stdout, '$HOME; `id` "\'|ä\n');
});

test('runCommand gives a reduced environment in English, and its secrets', async () => {
  const { stdout } = await runCommand(request('env', { secrets: { IPMI_PASSWORD: 'sesame' } }));
  const names = stdout.split('\n').map((line) => line.replace(/=.*/, '')).filter((name) => name);
  assert.deepEqual(names.sort(), ['IPMI_PASSWORD', 'LANG', 'LC_ALL', 'PATH']);
  assert.match(stdout, /^LC_ALL=C$/m);
});

test('runCommand says which package has a program that is missing', async () => {
  for (const program of ['nepho-no-such-program', join(directory, 'nowhere')]) {
    const error = await failure(request(program, { debianPackage: 'libvirt-clients' }));
    assert.equal(error.code, 'command_failed');
    assert.match(error.message, /not installed: install the Debian package libvirt-clients$/);
  }
});

test('runCommand says so when a program cannot be started', async () => {
  const file = join(directory, 'no_program');
  writeFileSync(file, 'not executable');
  const error = await failure(request(file));
  assert.equal(error.code, 'command_failed');
  assert.match(error.message, /^Cannot start 'no_program': /);
});

test('runCommand tells the status and the last words of a program that fails, never a secret', async () => {
  const program = script('fails', 'echo first >&2; echo "bad password $IPMI_PASSWORD" >&2; exit 3');
  const wanted = request(program, { secrets: { IPMI_PASSWORD: 'sesame' } });
  const error = await failure(wanted);
  assert.equal(error.code, 'command_failed');
  assert.equal(
    error.message,
    "Cannot run 'fails': it ended with status 3 and said: bad password ***",
  );
  assert.equal((await runToEnd(wanted)).status, 3);
});

test('runCommand tells that a signal ended a program', async () => {
  const error = await failure(request(script('dies', 'kill -9 $$')));
  assert.match(error.message, /^Cannot run 'dies': it ended by a signal$/);
});

test('runCommand kills a program and all that it started when its time is up', async () => {
  const file = join(directory, 'child_pid');
  const program = script('hangs', `sleep 60 & echo $! > ${file}.new; mv ${file}.new ${file}; wait`);
  const started = Date.now();
  const error = await failure(request(program, { timeoutMs: 500 }));
  assert.equal(error.code, 'timeout');
  assert.equal(error.retryable, true);
  assert(Date.now() - started < 5_000);
  assert(existsSync(file), 'the script did not come to its second command');
  await until(() => !alive(Number(readFileSync(file, 'utf8'))));
});

test('runCommand does not wait for a child that keeps the output open after its parent ended', async () => {
  const error = await failure(request(script('forks', 'sleep 60 &'), { timeoutMs: 300 }));
  assert.equal(error.code, 'timeout');
});

test('runCommand ends a program whose signal is aborted, before and while it runs', async () => {
  const controller = new AbortController();
  const running = failure(request('sleep', { args: ['60'], signal: controller.signal }));
  controller.abort();
  assert.equal((await running).code, 'timeout');
  assert.equal((await failure(request('true', { signal: controller.signal }))).code, 'timeout');
});

test('runCommand ends a program that writes more than it may', async () => {
  const error = await failure(request('yes', { maxBytes: 100_000 }));
  assert.equal(error.code, 'too_large');
});

test('runCommand keeps only the end of what a program complains', async () => {
  const program = script('complains', 'yes complaint | head -n 100000 >&2; echo end >&2');
  const { stderr } = await runCommand(request(program));
  assert.equal(stderr.length, 4_096);
  assert.match(stderr, /end\n$/);
});
