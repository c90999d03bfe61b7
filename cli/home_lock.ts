/** One system per home: two on the same data would destroy it. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { NephoError } from '../meters/errors.ts';

const ATTEMPTS = 3;

/** When a process started, in ticks since boot, so that a number used again is not taken for it. */
function startedAt(pid: number): string {
  try {
    // The second field, the name, may hold spaces and parentheses: count from its last one.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/**
 * Makes the home, for its owner alone, and takes it for this process.
 *
 * @returns gives it free again
 * @throws {NephoError} `home_in_use` with the process that has it, `home_unusable`
 */
export function lockHome(home: string): () => void {
  const file = path.join(home, 'lock');
  const own = path.join(home, `lock.${process.pid}`);
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(own, `${process.pid} ${startedAt(process.pid)}`, { mode: 0o600 });
  } catch (cause) {
    throw new NephoError(
      'home_unusable',
      `Cannot keep data in '${home}': it cannot be written, name another folder by NEPHO_HOME`,
      { cause },
    );
  }
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      // A link is made whole or not at all, unlike a file that is opened and then written.
      if (link(own, file)) return () => release(file);
      const holder = readLock(file);
      if (isAlive(holder)) throw inUse(home, holder.pid);
      takeAway(file, holder);
    }
  } finally {
    rmSync(own, { force: true });
  }
  throw inUse(home, readLock(file).pid);
}

interface Holder {
  pid: number;
  started: string;
}

function link(own: string, file: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch {
    return false;
  }
}

function readLock(file: string): Holder {
  try {
    const [pid, started = ''] = readFileSync(file, 'utf8').split(' ');
    return { pid: Number(pid), started };
  } catch {
    return { pid: 0, started: '' };
  }
}

function isAlive({ pid, started }: Holder): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return startedAt(pid) === started;
}

/** Another starter may take the dead one's lock away in this moment: only the dead one's is removed. */
function takeAway(file: string, dead: Holder): void {
  const aside = `${file}.dead.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readLock(aside).pid !== dead.pid) link(aside, file);
  rmSync(aside, { force: true });
}

function release(file: string): void {
  if (readLock(file).pid === process.pid) rmSync(file, { force: true });
}

function inUse(home: string, pid: number): NephoError {
  return new NephoError(
    'home_in_use',
    `Cannot start on '${home}': process ${pid} runs nepho there, stop it or name another folder by NEPHO_HOME`,
    { context: { pid } },
  );
}
