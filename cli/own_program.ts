/** How to run a part of nepho itself in a process of its own, on the runtime that runs us. */
import path from 'node:path';
import process from 'node:process';
import { PROJECT_DIR } from './env.ts';

export interface CommandLine {
  command: string;
  args: string[];
}

/**
 * Node's flags for a worker. V8 lets the heap of a busy process grow for as long as the machine has memory;
 * these keep a worker below 450 MB, and its young generation large enough for a batch.
 */
export const WORKER_NODE_ARGS: readonly string[] = [
  '--max-old-space-size=320',
  '--max-semi-space-size=48',
];

/** A poller holds a page of a listing and what its answers grow into, and no batch. */
const POLLER_NODE_ARGS: readonly string[] = [
  '--max-old-space-size=256',
  '--max-semi-space-size=16',
];

const NODE_ARGS: Readonly<Record<string, readonly string[]>> = {
  worker: WORKER_NODE_ARGS,
  poller: POLLER_NODE_ARGS,
};

/** `nepho <args>`. */
export function ownCommand(...args: string[]): CommandLine {
  const nodeArgs = NODE_ARGS[args[0] ?? ''] ?? [];
  return run(path.join(PROJECT_DIR, 'cli', 'nepho.mjs'), [...nodeArgs], args);
}

/** A program of ours in TypeScript, its path from the project's folder. */
export function ownProgram(file: string, ...args: string[]): CommandLine {
  // By its file, since a bare name is looked for from the working directory.
  const loader = path.join(PROJECT_DIR, 'node_modules', 'tsx', 'dist', 'loader.mjs');
  return run(path.join(PROJECT_DIR, file), [`--import=${loader}`], args);
}

function run(file: string, nodeArgs: string[], args: string[]): CommandLine {
  const runtimeArgs = 'Deno' in globalThis
    ? ['run', '--allow-all', '--node-modules-dir=manual', '--no-check']
    : nodeArgs;
  return { command: process.execPath, args: [...runtimeArgs, file, ...args] };
}
