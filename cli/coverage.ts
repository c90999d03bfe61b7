import { type Command, Option } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { GAP_REASONS } from '../meters/poll_gap.ts';
import { connect } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { printResult } from './output.ts';
import { formatTable } from './table.ts';
import { timeOf } from './time_option.ts';

type Row = NephoOutputs['coverage']['list']['rows'][number];
type Gap = NephoOutputs['coverage']['gaps']['gaps'][number];

interface Options extends ListOptions {
  cloud?: string;
  source?: string;
  meter?: string;
  from?: string;
  to?: string;
  gaps: boolean;
  open: boolean;
  reason?: (typeof GAP_REASONS)[number];
}

export function register(program: Command): void {
  withPaging(
    program.command('coverage')
      .description('what was expected of polling and what of it is there, cycle by cycle')
      .option('--cloud <name>')
      .option('--source <name>')
      .option('--meter <name>')
      .option('--from <time>', 'the first cycle', timeOf)
      .option('--to <time>', 'the end, not included', timeOf)
      .option('--gaps', 'each gap with its reason', false)
      .option('--open', 'of the gaps, those that are still missing', false)
      .addOption(new Option('--reason <reason>', 'of the gaps').choices(GAP_REASONS)),
  ).action(show);
}

async function show(options: Options): Promise<void> {
  const { cloud, source, meter, from, to, open, reason } = options;
  const filters = { cloud, source, meter, from, to };
  const connection = await connect();
  if (options.gaps || open || reason !== undefined) {
    const { rows, next_cursor } = await collectRows(options, async (page) => {
      const answer = await connection.call((nepho) =>
        nepho.coverage.gaps.query({ ...filters, ...page, reason, ...open ? { open } : {} })
      );
      return { rows: answer.gaps, next_cursor: answer.next_cursor };
    });
    const result = { gaps: rows, next_cursor };
    printResult(result, options, () => gapsText(rows) + moreLine(next_cursor));
    return;
  }
  const result = await collectRows(
    options,
    async (page) =>
      await connection.call((nepho) => nepho.coverage.list.query({ ...filters, ...page })),
  );
  printResult(result, options, () => coverageText(result.rows) + moreLine(result.next_cursor));
}

function coverageText(rows: readonly Row[]): string {
  const [expected, received, missing] = (['expected', 'received', 'missing'] as const)
    .map((column) => rows.reduce((sum, row) => sum + row[column], 0));
  return `${
    formatTable<Row>([
      { title: 'cycle', value: (row) => row.cycle.replace('.000000Z', 'Z') },
      { title: 'cloud', value: (row) => row.cloud },
      { title: 'source', value: (row) => row.source },
      { title: 'meter', value: (row) => row.meter },
      { title: 'expected', value: (row) => row.expected, align: 'right' },
      { title: 'received', value: (row) => row.received, align: 'right' },
      { title: 'missing', value: (row) => row.missing, align: 'right' },
      { title: 'carried', value: (row) => row.carried, align: 'right' },
      { title: 'repaired', value: (row) => row.repaired, align: 'right' },
      { title: 'why', value: reasonsOf },
    ], rows)
  }${expected} expected, ${received} received, ${missing} missing\n`;
}

function reasonsOf({ reasons }: Row): string {
  return Object.entries(reasons).map(([reason, count]) => `${reason} ${count}`).join(', ');
}

function gapsText(gaps: readonly Gap[]): string {
  return formatTable<Gap>([
    { title: 'cycle', value: (gap) => gap.cycle.replace('.000000Z', 'Z') },
    { title: 'source', value: (gap) => gap.source },
    { title: 'pollster', value: (gap) => gap.pollster },
    { title: 'unit', value: (gap) => gap.unit ?? `${gap.units} unknown` },
    { title: 'meters', value: (gap) => gap.meters.length, align: 'right' },
    { title: 'reason', value: (gap) => gap.reason },
    { title: 'state', value: stateOf },
    { title: 'detail', value: (gap) => gap.detail },
  ], gaps);
}

function stateOf(gap: Gap): string {
  if (gap.repaired_at !== null) return 'repaired';
  return gap.carried_by === null ? 'missing' : 'carried on';
}
