import type { Command } from 'commander';
import { connect } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { printResult } from './output.ts';
import { formatTable } from './table.ts';

interface Options extends ListOptions {
  project?: string;
  resource?: string;
  source?: string;
}

export function register(program: Command): void {
  const command = program.command('meters')
    .description('list the meters that have samples')
    .option('--project <id>', 'of one project')
    .option('--resource <id>', 'of one resource')
    .option('--source <name>', 'of one source');
  withPaging(command).action(listMeters);
}

async function listMeters(options: Options): Promise<void> {
  const connection = await connect();
  const filters = {
    project_id: options.project,
    resource_id: options.resource,
    source: options.source,
  };
  const { rows, next_cursor } = await collectRows(options, async (page) => {
    const answer = await connection.call((nepho) =>
      nepho.meters.list.query({ ...filters, ...page })
    );
    return { rows: answer.meters, next_cursor: answer.next_cursor };
  });
  printResult({ meters: rows, next_cursor }, options, () =>
    formatTable([
      { title: 'meter', value: (row) => row.meter },
      { title: 'type', value: (row) => row.type },
      { title: 'unit', value: (row) => row.unit },
      { title: 'resources', value: (row) => row.resources, align: 'right' },
      { title: 'projects', value: (row) => row.projects, align: 'right' },
    ], rows) + moreLine(next_cursor));
}
