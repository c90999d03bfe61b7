import type { Command } from 'commander';
import { connect } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { printResult } from './output.ts';
import { type FilterOptions, filtersOf, withSampleFilters } from './sample_filters.ts';
import { formatTable } from './table.ts';

interface Options extends ListOptions, FilterOptions {
  oldest?: boolean;
}

export function register(program: Command): void {
  const command = program.command('samples').description('list samples, the newest first');
  withPaging(withSampleFilters(command).option('--oldest', 'the oldest first')).action(listSamples);
}

async function listSamples(options: Options): Promise<void> {
  const connection = await connect();
  const filters = {
    ...filtersOf(options),
    order: options.oldest === true ? 'oldest' : 'newest',
  } as const;
  const { rows, next_cursor } = await collectRows(options, async (page) => {
    const answer = await connection.call((nepho) =>
      nepho.samples.list.query({ ...filters, ...page })
    );
    return { rows: answer.samples, next_cursor: answer.next_cursor };
  });
  printResult({ samples: rows, next_cursor }, options, () =>
    formatTable([
      { title: 'timestamp', value: (sample) => sample.timestamp },
      { title: 'meter', value: (sample) => sample.meter },
      { title: 'type', value: (sample) => sample.type },
      { title: 'volume', value: (sample) => sample.volume, align: 'right' },
      { title: 'unit', value: (sample) => sample.unit },
      { title: 'resource', value: (sample) => sample.resource_id },
      { title: 'project', value: (sample) => sample.project_id },
      { title: 'id', value: (sample) => sample.id },
    ], rows) + moreLine(next_cursor));
}
