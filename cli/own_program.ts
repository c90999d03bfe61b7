/** How to run a part of nepho itself in a process of its own, on the runtime that runs us. */
import path from 'node:path';
import process from 'node:process';
import { PROJECT_DIR } from './env.ts';

export interface CommandLine {
  command: string;
  args: string[];
}

/** `nepho <args>`. */
export function ownCommand(...args: string[]): CommandLine {
  return run(path.join(PROJECT_DIR, 'cli', 'nepho.mjs'), [], args);
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
