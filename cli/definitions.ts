import process from 'node:process';
import type { Command } from 'commander';
import { loadDefinitionDirectory } from './definition_files.ts';
import { type CommandOutput, runDefinitionsCheck } from './definitions_check.ts';
import { runDefinitionsTry } from './definitions_try.ts';
import { type JsonOption, withJson, write } from './output.ts';

interface TryOptions {
  definitions?: string[];
  source?: string;
}

const OUTPUT: CommandOutput = {
  write,
  writeError: (text) => void process.stderr.write(text),
};

export function register(program: Command): void {
  const definitions = program.command('definitions')
    .description('check definition files, and try them on notifications, with no server running');
  withJson(
    definitions.command('check').argument('<file...>', 'definition files')
      .description('tell every fault with its file, line, column and remedy'),
  ).action(check);
  definitions.command('try').argument('<notifications>', 'a file of notifications, - for input')
    .description('print the samples that notifications give, one JSON a line')
    .option('--definitions <file...>', 'files or folders, instead of those of nepho')
    .option('--source <name>', 'the source that samples name')
    .action(tryNotifications);
}

async function check(files: string[], options: JsonOption): Promise<void> {
  process.exitCode = runDefinitionsCheck(await loadDefinitionDirectory(files), OUTPUT, options);
}

async function tryNotifications(notificationsFile: string, options: TryOptions): Promise<void> {
  process.exitCode = await runDefinitionsTry({
    definitionFiles: options.definitions ?? [],
    notificationsFile,
    ...options.source === undefined ? {} : { source: options.source },
  }, OUTPUT);
}
