import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ownProgram } from './own_program.ts';

/** What the bundler of workflows begins with. */
export const WORKFLOWS = fileURLToPath(new URL('../workflows/mod.ts', import.meta.url));

const run = promisify(execFile);

/** The workflows as one script, made by `bundle_workflows.ts` in a process that then ends. */
export async function bundleWorkflows(): Promise<{ code: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nepho-bundle-'));
  try {
    const file = path.join(folder, 'workflows.js');
    const { command, args } = ownProgram('cli/bundle_workflows.ts', file);
    await run(command, args);
    return { code: await readFile(file, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
