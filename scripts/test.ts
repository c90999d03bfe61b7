/**
 * The one gate: format, lint, types, then every suite on Node and the same suites on Deno.
 *
 * `npm test` runs all; `npm test -- unit types` only those; `npm test -- integration --deno` on one
 * runtime; `npm test -- test/unit/x_test.ts` one file.
 */
import process from 'node:process';
import path from 'node:path';
import { findOrMakeProgram } from '../cli/binaries.ts';
import { PROJECT_DIR, readSettings } from '../cli/env.ts';
import { withProgress } from '../cli/progress.ts';
import { PROGRAMS } from '../cli/programs.ts';
import { errorMessage } from '../meters/errors.ts';
import { postgresSkipReason, startPostgres } from '../test/support/postgres.ts';
import { runFiles, runGroup, type Runtime, suiteFiles, type Tally } from './test_runtimes.ts';

/** The programs of each check. They print nothing of interest unless they fail. */
const CHECKS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  format: [['deno/bin.cjs', 'fmt', '--check', '--quiet']],
  lint: [['oxlint/bin/oxlint', '--type-aware']],
  types: [
    ['typescript/bin/tsc', '--noEmit'],
    // Deno's own, of an older TypeScript and with other types of its built-ins.
    [
      'deno/bin.cjs',
      'check',
      '--quiet',
      '--node-modules-dir=manual',
      'cli/main.ts',
      'client/mod.ts',
    ],
  ],
};
const SUITES = ['unit', 'replay', 'conformance', 'integration', 'faults'];
const RUNTIMES: readonly Runtime[] = ['node', 'deno'];
const CHECK_TIMEOUT_MS = 5 * 60_000;
/** Tests wait for servers more than they compute, but two of the suites' servers fill two cores. */
const CONCURRENCY = 2;

interface Plan {
  checks: string[];
  suites: string[];
  files: string[];
  runtimes: Runtime[];
}

/** @returns the exit status: 0 if nothing failed, 1 if something did, 2 if `args` make no sense */
export async function main(args: readonly string[]): Promise<number> {
  const plan = readPlan(args);
  if (typeof plan === 'string') {
    process.stderr.write(`${plan}\n`);
    return 2;
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  const lacking = new Set<string>();
  const add = (tally: Tally): void => {
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
    for (const reason of tally.reasons) lacking.add(reason);
  };
  const start = Date.now();
  for (const check of plan.checks) add(await runCheck(check));
  if (plan.suites.length > 0 || plan.files.length > 0) await runSuites(plan, add, lacking);
  for (const reason of lacking) process.stdout.write(`skipped here: ${reason}\n`);
  process.stdout.write(`${Math.round((Date.now() - start) / 1_000)} s\n`);
  process.stdout.write(
    `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`,
  );
  return total.failed === 0 ? 0 : 1;
}

function readPlan(args: readonly string[]): Plan | string {
  const names = args.filter((arg) => !arg.startsWith('-'));
  const flags = args.filter((arg) => arg.startsWith('-'));
  const known = [...Object.keys(CHECKS), ...SUITES];
  const unknown = [
    ...names.filter((name) => !known.includes(name) && !name.endsWith('_test.ts')),
    ...flags.filter((flag) => !['--node', '--deno'].includes(flag)),
  ];
  if (unknown.length > 0) {
    return `Cannot run '${unknown.join(' ')}': name ${
      known.join(', ')
    } or test files, with --node or --deno`;
  }
  const chosen = RUNTIMES.filter((runtime) => flags.includes(`--${runtime}`));
  const all = names.length === 0;
  return {
    checks: Object.keys(CHECKS).filter((check) => all || names.includes(check)),
    suites: SUITES.filter((suite) => all || names.includes(suite)),
    files: names.filter((name) => name.endsWith('_test.ts')),
    runtimes: chosen.length === 0 ? [...RUNTIMES] : chosen,
  };
}

async function runCheck(check: string): Promise<Tally> {
  return await report(check, async () => {
    const tally = { passed: 0, failed: 0, skipped: 0, reasons: new Set<string>(), output: '' };
    for (const [script = '', ...args] of CHECKS[check] ?? []) {
      const { status, output } = await runGroup(process.execPath, [
        path.join(PROJECT_DIR, 'node_modules', script),
        ...args,
      ], { environment: { NO_COLOR: '1' }, timeoutMs: CHECK_TIMEOUT_MS });
      if (status === 0) tally.passed += 1;
      else {
        tally.failed += 1;
        tally.output += output;
      }
    }
    return tally;
  });
}

async function runSuites(
  plan: Plan,
  add: (tally: Tally) => void,
  lacking: Set<string>,
): Promise<void> {
  for (const reason of await preparePrograms()) lacking.add(reason);
  const suites = await Promise.all(
    plan.suites.map(async (suite) => ({ name: suite, files: await suiteFiles(suite) })),
  );
  if (plan.files.length > 0) suites.push({ name: plan.files.join(' '), files: plan.files });
  // One cluster for all files, which make a database each; a test that stops its server has its own.
  const postgres = postgresSkipReason() === false ? await startPostgres({ fsync: false }) : null;
  const environment: Record<string, string> = postgres === null
    ? {}
    : { DATABASE_URL: postgres.url };
  try {
    for (const runtime of plan.runtimes) {
      for (const { name, files } of suites) {
        if (files.length === 0) continue;
        const options = { environment, concurrency: CONCURRENCY };
        add(await report(`${name} on ${runtime}`, () => runFiles(runtime, files, options)));
      }
    }
  } finally {
    await postgres?.stop();
  }
}

/** Makes the servers and tools that tests run. @returns what could not be had, for the summary */
async function preparePrograms(): Promise<string[]> {
  const settings = readSettings();
  const lacking: string[] = [];
  for (const { name } of Object.values(PROGRAMS)) {
    try {
      await findOrMakeProgram(name, settings);
    } catch (error) {
      lacking.push(errorMessage(error));
    }
  }
  return lacking;
}

async function report(title: string, work: () => Promise<Tally>): Promise<Tally> {
  const start = Date.now();
  const tally = await withProgress(title, work);
  const seconds = ((Date.now() - start) / 1_000).toFixed(1);
  if (tally.failed > 0) process.stdout.write(`${failuresOf(tally.output).trimEnd()}\n`);
  process.stdout.write(
    `${
      tally.failed > 0 ? 'FAILED' : 'ok    '
    } ${title}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped, ${seconds} s\n`,
  );
  return tally;
}

/** Of Node's report only its last part, which repeats what failed; whole where there is no such part. */
function failuresOf(output: string): string {
  const start = output.lastIndexOf('✖ failing tests:');
  return start < 0 ? output : output.slice(start);
}
