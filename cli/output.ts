/** What a command writes on standard output: a table for people, or one JSON document for programs. */
import process from 'node:process';
import type { Command } from 'commander';

export interface JsonOption {
  json?: boolean;
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print one JSON document');
}

/** @param people made only if it is needed */
export function printResult(value: unknown, options: JsonOption, people: () => string): void {
  write(options.json === true ? `${JSON.stringify(value)}\n` : people());
}

/** Writes to standard output. A reader that has seen enough (`| head`) is no failure. */
export function write(text: string | Uint8Array): void {
  if (process.stdout.listenerCount('error') === 0) {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  process.stdout.write(text);
}

/** Says something beside the result. */
export function writeWarning(text: string): void {
  process.stderr.write(`warning: ${text}\n`);
}
