import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Debian's own Python, which sees the packages that Debian installs. */
const PYTHON = '/usr/bin/python3';
const SCRIPTS = fileURLToPath(new URL('../conformance/', import.meta.url));
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Null if Ceilometer can be run here, else what is missing, for a test that is skipped. */
export function findCeilometer(): string | null {
  if (!existsSync(PYTHON)) return `${PYTHON} is not there`;
  const asked = spawnSync(PYTHON, ['-c', 'import ceilometer.meter.notifications, jsonpath_rw_ext']);
  return asked.status === 0
    ? null
    : 'Ceilometer is not installed: apt-get install python3-ceilometer';
}

/**
 * Runs a script of test/conformance and returns what it prints. Keep the input below 64 KiB: Deno writes
 * all of it before it reads anything.
 */
export function runCeilometer(script: string, args: readonly string[], input?: string): string {
  const run = spawnSync(PYTHON, [`${SCRIPTS}${script}`, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (run.status !== 0) throw new Error(`${script} failed: ${run.stderr}`);
  return run.stdout;
}
