/**
 * `npm run soak -- --seeds N [--from S]`: the seeded fault tests, as many as wanted.
 *
 * Ends with status 0 if every seed kept every promise, 1 if one did not, 2 for arguments that make no
 * sense. A seed that failed is printed with the command that repeats it.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startFaultLanes } from '../test/support/fault_lanes.ts';
import { scenarioOf } from '../test/support/fault_scenarios.ts';
import { errorMessage } from '../meters/errors.ts';

const DEFAULT_SEEDS = 25;

/** @returns the exit status */
export async function soak(args: readonly string[]): Promise<number> {
  const wanted = readArgs(args);
  if (wanted === null) {
    process.stderr.write('Cannot soak: write npm run soak -- --seeds N [--from S]\n');
    return 2;
  }
  const seeds = Array.from({ length: wanted.count }, (_, index) => wanted.from + index);
  const lanes = await startFaultLanes(seeds);
  const failed: number[] = [];
  const started = Date.now();
  await Promise.all([...lanes.outcomes].map(async ([seed, outcome]) => {
    const faults = await outcome.catch((error: unknown) => [describeFailure(error)]);
    const seconds = Math.round((Date.now() - started) / 1_000);
    process.stdout.write(
      `${faults.length === 0 ? 'ok    ' : 'FAILED'} seed ${seed}: ${
        scenarioOf(seed)
      }, ${seconds} s\n`,
    );
    if (faults.length === 0) return;
    failed.push(seed);
    process.stdout.write(
      `${faults.join('\n')}\nrepeat it by: npm run soak -- --from ${seed} --seeds 1\n`,
    );
  }));
  await lanes.stop();
  process.stdout.write(`${seeds.length - failed.length} seeds passed, ${failed.length} failed\n`);
  return failed.length === 0 ? 0 : 1;
}

function readArgs(args: readonly string[]): { count: number; from: number } | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { seeds: { type: 'string' }, from: { type: 'string' } },
    });
    const count = Number(values.seeds ?? DEFAULT_SEEDS);
    const from = Number(values.from ?? 1);
    const makeSense = [count, from].every((number) => Number.isSafeInteger(number) && number > 0);
    return makeSense ? { count, from } : null;
  } catch {
    return null;
  }
}

function describeFailure(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : errorMessage(error);
}

process.exitCode = await soak(process.argv.slice(2));
