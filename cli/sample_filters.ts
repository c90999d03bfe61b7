import { type Command, InvalidArgumentError } from 'commander';
import type { NephoInputs } from '../client/client.ts';
import { asOfInput, type AsOfOption, withAsOf } from './as_of_option.ts';

type SampleFilters = Pick<
  NonNullable<NephoInputs['samples']['list']>,
  | 'meter'
  | 'resource_id'
  | 'project_id'
  | 'user_id'
  | 'source'
  | 'from'
  | 'to'
  | 'metadata'
  | 'as_of'
>;

export interface FilterOptions extends AsOfOption {
  meter?: string;
  resource?: string;
  project?: string;
  user?: string;
  source?: string;
  from?: string;
  to?: string;
  metadata?: Record<string, string>;
}

/** Adds the options that say which samples are meant. */
export function withSampleFilters(command: Command): Command {
  return withSeriesFilters(command)
    .option(
      '--metadata <path=value>',
      'with this text in the metadata, as flavor.name=m1.tiny; may be repeated',
      pathAndValue,
      {},
    );
}

/** Adds those of them that do not look into single samples. */
export function withSeriesFilters(command: Command): Command {
  return withAsOf(command)
    .option('-m, --meter <name>', 'of one meter')
    .option('--resource <id>', 'of one resource')
    .option('--project <id>', 'of one project')
    .option('--user <id>', 'of one user')
    .option('--source <name>', 'of one source')
    .option('--from <time>', 'from this time on, as 2026-01-31T00:00:00Z')
    .option('--to <time>', 'before this time');
}

/** What the API is asked for. */
export function filtersOf(options: FilterOptions): SampleFilters {
  const { meter, resource, project, user, source, from, to, metadata = {} } = options;
  return {
    ...meter === undefined ? {} : { meter },
    ...resource === undefined ? {} : { resource_id: resource },
    ...project === undefined ? {} : { project_id: project },
    ...user === undefined ? {} : { user_id: user },
    ...source === undefined ? {} : { source },
    ...from === undefined ? {} : { from },
    ...to === undefined ? {} : { to },
    ...Object.keys(metadata).length === 0 ? {} : { metadata },
    ...asOfInput(options),
  };
}

function pathAndValue(text: string, before: Record<string, string>): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Give PATH=VALUE.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
