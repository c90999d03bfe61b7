import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NephoInputs, NephoOutputs } from '../client/client.ts';
import { connect } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { type FilterOptions, filtersOf, withSampleFilters } from './sample_filters.ts';
import { type Column, formatTable } from './table.ts';

type Group = NonNullable<NephoInputs['statistics']['query']['group_by']>[number];
type Row = NephoOutputs['statistics']['query']['statistics'][number];

interface Options extends FilterOptions, JsonOption {
  groupBy: Group[];
  period?: number;
}

const GROUPS: Readonly<Record<string, Group>> = {
  meter: 'meter',
  project: 'project_id',
  resource: 'resource_id',
  user: 'user_id',
  source: 'source',
};
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

export function register(program: Command): void {
  const command = program.command('statistics')
    .description('count, sum, mean and extremes of samples');
  withJson(
    withSampleFilters(command)
      .addOption(
        new Option('--group-by <names>', 'by meter, project, resource, user, source; with commas')
          .argParser(groupsOf).default([], 'nothing'),
      )
      .option('--period <span>', 'in periods of this span, as 15m, 1h or 1d', spanSeconds),
  ).action(showStatistics);
}

async function showStatistics(options: Options): Promise<void> {
  const connection = await connect();
  const input = {
    ...filtersOf(options),
    group_by: options.groupBy,
    ...options.period === undefined ? {} : { period_seconds: options.period },
  };
  const answer = await connection.call((nepho) => nepho.statistics.query.query(input));
  printResult(answer, options, () => formatTable(columnsOf(options), answer.statistics));
}

function columnsOf(options: Options): Column<Row>[] {
  const groups = options.groupBy.map((group): Column<Row> => ({
    title: group.replace('_id', ''),
    value: (row) => row.group[group],
  }));
  const period: Column<Row>[] = options.period === undefined
    ? []
    : [{ title: 'period', value: (row) => row.period_start }];
  return [
    ...groups,
    ...period,
    { title: 'type', value: (row) => row.type },
    { title: 'unit', value: (row) => row.unit },
    { title: 'count', value: (row) => row.count, align: 'right' },
    { title: 'sum', value: (row) => row.sum, align: 'right' },
    { title: 'avg', value: (row) => row.avg, align: 'right' },
    { title: 'min', value: (row) => row.min, align: 'right' },
    { title: 'max', value: (row) => row.max, align: 'right' },
    { title: 'first', value: (row) => row.duration_start },
    { title: 'last', value: (row) => row.duration_end },
  ];
}

/** `project,meter`, or the API's own names. */
export function groupsOf(text: string): Group[] {
  const names = text.split(',').map((name) => name.trim()).filter((name) => name !== '');
  const groups = names.map((name) => {
    const group = GROUPS[name] ?? Object.values(GROUPS).find((known) => known === name);
    if (group !== undefined) return group;
    throw new InvalidArgumentError(`'${name}' is none of ${Object.keys(GROUPS).join(', ')}.`);
  });
  return [...new Set(groups)];
}

/** Seconds of `90s`, `15m`, `1h`, `1d`, or of a number of seconds. */
export function spanSeconds(text: string): number {
  const match = /^([1-9]\d{0,8})([smhd]?)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Give a span as 90s, 15m, 1h or 1d.');
  return Number(match[1]) * (SECONDS[match[2] ?? ''] ?? 1);
}
