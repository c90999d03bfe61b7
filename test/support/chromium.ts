import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Long enough for the first start on a busy machine. */
const TIMEOUT_MS = 90_000;

/** Nothing but the page itself: no sandbox, which root has not, no updates, no reports, no profile. */
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-extensions',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-pings',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** Chromium's program: NEPHO_TEST_CHROMIUM, or one in PATH; null if there is none. */
export function findChromium(): string | null {
  const given = process.env['NEPHO_TEST_CHROMIUM'];
  if (given !== undefined && given !== '') return given;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find(isProgram) ?? null;
}

/**
 * Opens a page in a browser of its own until `done` is settled, and leaves nothing of it behind.
 *
 * @returns what `done` gives
 */
export async function withPage<Result>(
  chromium: string,
  url: string,
  done: Promise<Result>,
): Promise<Result> {
  const profile = await mkdtemp(join(tmpdir(), 'nepho-chromium-'));
  // A process group of its own, since the browser is many processes.
  const browser = spawn(chromium, [...ARGUMENTS, `--user-data-dir=${profile}`, url], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  browser.stderr.on('data', (chunk) => told += String(chunk));
  const exited = new Promise<string>((settle) => {
    browser.on('error', (error) => settle(error.message));
    browser.on('close', (status) => settle(`it ended with status ${status}`));
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((settle) => {
    timer = setTimeout(() => settle(`no answer within ${TIMEOUT_MS / 1_000} s`), TIMEOUT_MS);
  });
  const failed = Promise.race([exited, late]).then((reason) => {
    throw new Error(`${chromium} did not answer: ${reason}\n${told}`);
  });
  failed.catch(() => {});
  try {
    return await Promise.race([done, failed]);
  } finally {
    clearTimeout(timer);
    endGroup(browser.pid);
    await exited;
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
