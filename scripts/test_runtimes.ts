/** Runs the files of a suite on Node or on Deno, and counts what came of them. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { childEnvironment, PROJECT_DIR } from '../cli/env.ts';

export type Runtime = 'node' | 'deno';

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** Why tests were skipped, each reason once. */
  reasons: Set<string>;
  /** What the runner printed, in whole. */
  output: string;
}

export interface RunOptions {
  /** Further variables for the tests. */
  environment: Record<string, string>;
  /** Files at the same time. */
  concurrency: number;
}

/** A suite that takes longer is broken: it is ended, and counts as a failure. */
const SUITE_TIMEOUT_MS = 15 * 60_000;
const FILE_TIMEOUT_MS = 6 * 60_000;

/** The test files of a suite below test/, sorted. */
export async function suiteFiles(suite: string): Promise<string[]> {
  const names = await readdir(path.join(PROJECT_DIR, 'test', suite), { recursive: true })
    .catch(() => []);
  return names.filter((name) => name.endsWith('_test.ts')).sort()
    .map((name) => path.join('test', suite, name));
}

export async function runFiles(
  runtime: Runtime,
  files: readonly string[],
  options: RunOptions,
): Promise<Tally> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nepho-tests-'));
  try {
    return runtime === 'node'
      ? await runOnNode(files, folder, options)
      : await runOnDeno(files, folder, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runOnNode(
  files: readonly string[],
  folder: string,
  options: RunOptions,
): Promise<Tally> {
  const report = path.join(folder, 'report.jsonl');
  const { status, output } = await runGroup(process.execPath, [
    '--import=tsx',
    '--test',
    `--test-concurrency=${options.concurrency}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./scripts/test_reporter.mjs',
    `--test-reporter-destination=${report}`,
    ...files,
  ], { environment: options.environment, timeoutMs: SUITE_TIMEOUT_MS });
  const tally = emptyTally(output);
  for (const line of (await readFile(report, 'utf8').catch(() => '')).split('\n')) {
    if (line === '') continue;
    const { outcome, reason } = JSON.parse(line) as {
      outcome: 'passed' | 'failed' | 'skipped';
      reason: string | null;
    };
    tally[outcome] += 1;
    if (reason !== null && reason !== '') tally.reasons.add(reason);
  }
  // The runner itself may fail, or be ended, where no test did.
  if (status !== 0 && tally.failed === 0) tally.failed += 1;
  return tally;
}

/**
 * One process a file, as Node's runner does. `deno test --parallel` would run them as threads of one
 * process, which share its signals, its exit and its native modules.
 */
async function runOnDeno(
  files: readonly string[],
  folder: string,
  options: RunOptions,
): Promise<Tally> {
  const deno = path.join(PROJECT_DIR, 'node_modules', 'deno', 'bin.cjs');
  const total = emptyTally('');
  const waiting = [...files.entries()];
  const runNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, file] = next;
      const report = path.join(folder, `${index}.xml`);
      const { status, output } = await runGroup(process.execPath, [
        deno,
        'test',
        '--allow-all',
        '--node-modules-dir=manual',
        '--no-check',
        `--junit-path=${report}`,
        file,
      ], {
        environment: { ...options.environment, NO_COLOR: '1' },
        timeoutMs: FILE_TIMEOUT_MS,
      });
      const counts = countJunit(await readFile(report, 'utf8').catch(() => ''));
      if (status !== 0 && counts.failed === 0) counts.failed += 1;
      total.passed += counts.passed;
      total.failed += counts.failed;
      total.skipped += counts.skipped;
      total.output += counts.failed === 0 ? '' : `${output}\n`;
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, runNext));
  return total;
}

function countJunit(xml: string): Pick<Tally, 'passed' | 'failed' | 'skipped'> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [suite] of xml.matchAll(/<testsuite [^>]*>/g)) {
    const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    const failed = count('failures') + count('errors');
    counts.failed += failed;
    counts.skipped += count('disabled');
    counts.passed += count('tests') - failed - count('disabled');
  }
  return counts;
}

interface GroupOptions {
  environment: Record<string, string>;
  timeoutMs: number;
}

/**
 * Runs a command as a process group of its own, and at its end kills what is left of the group: a test
 * that dies must not leave its servers behind.
 */
export async function runGroup(
  command: string,
  args: readonly string[],
  options: GroupOptions,
): Promise<{ status: number; output: string }> {
  const child = spawn(command, args, {
    cwd: PROJECT_DIR,
    env: childEnvironment(options.environment),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
  }
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing is left of it: what we hope for.
    }
  };
  process.once('exit', killGroup);
  const timer = setTimeout(() => {
    chunks.push(`\nEnded after ${options.timeoutMs / 1_000} s\n`);
    killGroup();
  }, options.timeoutMs);
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      chunks.push(String(error));
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
  clearTimeout(timer);
  process.off('exit', killGroup);
  killGroup();
  return { status, output: chunks.join('') };
}

function emptyTally(output: string): Tally {
  return { passed: 0, failed: 0, skipped: 0, reasons: new Set(), output };
}
