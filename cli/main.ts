/** The `nepho` command: a table of sub-commands, each in a file of its own that registers itself. */
import process from 'node:process';
import { Command, CommanderError } from 'commander';
import { errorMessage, isNephoError } from '../meters/errors.ts';
import { maskSecrets } from './mask_secrets.ts';

/** Statuses of the process. */
export const STATUS = { done: 0, failed: 1, usage: 2 } as const;

/**
 * The file of each command. A file is loaded only when its command, or the list of all, is asked for:
 * the worker's packages alone take a second to load.
 */
const COMMANDS: Record<string, () => Promise<{ register(program: Command): void }>> = {
  start: () => import('./start.ts'),
  send: () => import('./send.ts'),
  definitions: () => import('./definitions.ts'),
  meters: () => import('./meters.ts'),
  samples: () => import('./samples.ts'),
  statistics: () => import('./statistics.ts'),
  usage: () => import('./usage.ts'),
  windows: () => import('./windows.ts'),
  statements: () => import('./statements.ts'),
  resources: () => import('./resources.ts'),
  explain: () => import('./explain.ts'),
  quarantine: () => import('./quarantine.ts'),
  sources: () => import('./sources.ts'),
  coverage: () => import('./coverage.ts'),
  poll: () => import('./poll.ts'),
  actors: () => import('./actors.ts'),
  audit: () => import('./audit.ts'),
  archive: () => import('./archive.ts'),
  log: () => import('./log.ts'),
  receipt: () => import('./receipt.ts'),
  verify: () => import('./verify.ts'),
  keys: () => import('./keys.ts'),
  worker: () => import('./worker.ts'),
  api: () => import('./api.ts'),
  bridge: () => import('./bridge.ts'),
  poller: () => import('./poller.ts'),
  migrate: () => import('./migrate.ts'),
};

/**
 * Runs one command line and sets the exit status: 0 done, 1 failed, 2 not understood. What fails is told
 * in one sentence on standard error, without a stack trace.
 */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('nepho')
    .description('Metering for OpenStack-like clouds that billing can rely on and anyone can check')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  const name = args.find((arg) => !arg.startsWith('-'));
  const load = name === undefined ? undefined : COMMANDS[name];
  const modules = load === undefined
    ? await Promise.all(Object.values(COMMANDS).map((each) => each()))
    : [await load()];
  for (const module of modules) module.register(program);
  for (const command of allCommands(program)) {
    command.exitOverride().configureOutput({ outputError: () => {} });
  }
  return program;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return STATUS.done;
    // No command was named: commander has shown the help.
    if (error.code === 'commander.help') return STATUS.usage;
    process.stderr.write(`${sentenceOf(error)}\n`);
    return STATUS.usage;
  }
  const code = isNephoError(error) ? ` (${error.code})` : '';
  process.stderr.write(`${maskSecrets(errorMessage(error))}${code}\n`);
  return isNephoError(error) && error.code === 'usage_invalid' ? STATUS.usage : STATUS.failed;
}

/** commander writes `error: unknown option '--x'` and its guess on a line of its own. */
function sentenceOf(error: CommanderError): string {
  const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ').trim();
  return `Cannot read the command line: ${text}; see \`nepho --help\``;
}

function* allCommands(command: Command): Generator<Command> {
  yield command;
  for (const child of command.commands) yield* allCommands(child);
}
