import type { Command } from 'commander';
import { wholeNumberFrom0 } from './list_options.ts';

/** Which statement a command is about, beside the name of its period. */
export interface PeriodOptions {
  project?: string;
  number?: number;
}

/** Adds the period as argument, `--project` and, if asked for, `--number`. */
export function withPeriod(command: Command, { number }: { number: boolean }): Command {
  command.argument('<period>', 'name of the period, as 2026-10')
    .option('--project <id>', 'whose; needed with an operator key');
  return number
    ? command.option(
      '--number <number>',
      '0 is the statement, the others its amendments; the last one unless given',
      wholeNumberFrom0,
    )
    : command;
}

/** What the API is asked for. */
export function statementInput(period: string, { project, number }: PeriodOptions) {
  return {
    period,
    ...project === undefined ? {} : { project_id: project },
    ...number === undefined ? {} : { number },
  };
}
