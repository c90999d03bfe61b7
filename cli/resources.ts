import type { Command } from 'commander';
import { asOfInput, type AsOfOption, withAsOf } from './as_of_option.ts';
import { connect } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { printResult } from './output.ts';
import { formatTable } from './table.ts';

interface Options extends ListOptions, AsOfOption {
  project?: string;
  user?: string;
  source?: string;
  meter?: string;
}

export function register(program: Command): void {
  const command = program.command('resources')
    .description('list the resources that have samples')
    .option('-m, --meter <name>', 'that one meter is of')
    .option('--project <id>', 'of one project')
    .option('--user <id>', 'of one user')
    .option('--source <name>', 'of one source');
  withPaging(withAsOf(command)).action(listResources);
}

async function listResources(options: Options): Promise<void> {
  const connection = await connect();
  const { meter, project, user, source } = options;
  const filters = {
    ...asOfInput(options),
    ...meter === undefined ? {} : { meter },
    ...project === undefined ? {} : { project_id: project },
    ...user === undefined ? {} : { user_id: user },
    ...source === undefined ? {} : { source },
  };
  const { rows, next_cursor } = await collectRows(options, async (page) => {
    const answer = await connection.call((nepho) =>
      nepho.resources.list.query({ ...filters, ...page })
    );
    return { rows: answer.resources, next_cursor: answer.next_cursor };
  });
  printResult({ resources: rows, next_cursor }, options, () =>
    formatTable([
      { title: 'resource', value: (row) => row.resource_id },
      { title: 'project', value: (row) => row.project_id },
      { title: 'user', value: (row) => row.user_id },
      { title: 'source', value: (row) => row.source },
      { title: 'meters', value: (row) => row.meters.join(', ') },
      { title: 'first', value: (row) => row.first_timestamp },
      { title: 'last', value: (row) => row.last_timestamp },
    ], rows) + moreLine(next_cursor));
}
