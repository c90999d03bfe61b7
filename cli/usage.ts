import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NephoInputs, NephoOutputs } from '../client/client.ts';
import { NephoError } from '../meters/errors.ts';
import { CALENDAR_UNITS, type CalendarUnit } from '../meters/zone.ts';
import { asOfInput, type AsOfOption, asOfText, withAsOf } from './as_of_option.ts';
import { connect } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { printResult, writeWarning } from './output.ts';
import { type Column, formatTable } from './table.ts';
import { exportUsage, type UsageFile } from './usage_download.ts';
import { rangeOf, shortTime } from './usage_range.ts';

type Query = NephoInputs['usage']['query'];
type Answer = NephoOutputs['usage']['query'];
type Row = Answer['usage'][number];

interface Options extends ListOptions, AsOfOption {
  from?: string;
  to?: string;
  zone: string;
  every?: CalendarUnit;
  groupBy: string[];
  project?: string;
  resource?: string;
  user?: string;
  source?: string;
  fill?: true;
  csv?: true;
  jsonl?: true;
  focus?: true;
}

const GROUPS: Readonly<Record<string, string>> = {
  project: 'project_id',
  resource: 'resource_id',
  meter: 'meter',
  user: 'user_id',
  source: 'source',
};

export function register(program: Command): void {
  const command = program.command('usage').argument('<meters...>', 'names of meters')
    .description('what was used of meters: billable quantities of any range, in any time zone')
    .option('--from <time>', 'from this time or date on; the beginning of the month unless given')
    .option('--to <time>', 'before this time or date; now unless given')
    .option('--zone <name>', 'whose calendar counts, as Europe/Berlin', 'UTC')
    .addOption(
      new Option('--every <span>', 'a row for each of these').choices([...CALENDAR_UNITS]),
    )
    .addOption(
      new Option(
        '--group-by <names>',
        'by project, resource, meter, user, source, metadata.<path>; with commas',
      ).argParser(usageGroups).default([], 'nothing'),
    )
    .option('--project <id>', 'of one project')
    .option('--resource <id>', 'of one resource')
    .option('--user <id>', 'of one user')
    .option('--source <name>', 'of one source')
    .option('--fill', 'rows of zeros for the spans in which nothing was')
    .option('--csv', 'all rows as CSV, streamed')
    .option('--jsonl', 'all rows as JSON lines, streamed')
    .option('--focus', 'all of it by resource and day in columns of FOCUS, as CSV without prices');
  withPaging(withAsOf(command)).action(showUsage);
}

async function showUsage(meters: string[], options: Options): Promise<void> {
  const connection = await connect();
  const query = queryOf(meters, options);
  const file = fileOf(options);
  if (file !== null) return await exportUsage(connection, file, query);
  const pages: Answer[] = [];
  const { rows, next_cursor } = await collectRows(options, async (page) => {
    const answer = await connection.call((nepho) => nepho.usage.query.query({ ...query, ...page }));
    pages.push(answer);
    return { rows: answer.usage, next_cursor: answer.next_cursor };
  });
  // All pages are made from the checkpoints of the first.
  const { usage: _, ...known } = pages[0] as Answer;
  printResult(
    { ...known, usage: rows, next_cursor },
    options,
    () => formatTable(columnsOf(options), rows) + moreLine(next_cursor) + footOf(known),
  );
  const { count } = known.open_gaps;
  if (count > 0) {
    writeWarning(`${count} readings are missing in this range, see \`nepho coverage\``);
  }
}

/** @throws {NephoError} `usage_invalid` */
function fileOf({ csv, jsonl, focus, groupBy, fill }: Options): UsageFile | null {
  const files = [
    ...csv === true ? ['usage.csv'] as const : [],
    ...jsonl === true ? ['usage.jsonl'] as const : [],
    ...focus === true ? ['usage.focus.csv'] as const : [],
  ];
  const [file = null] = files;
  const reason = files.length > 1
    ? 'give one of --csv, --jsonl and --focus'
    : file === 'usage.focus.csv' && groupBy.length > 0
    ? 'FOCUS has a row for each resource, leave --group-by out'
    : file !== null && fill === true
    ? 'an export has no rows of zeros, leave --fill out'
    : null;
  if (reason === null) return file;
  throw new NephoError('usage_invalid', `Cannot export usage so: ${reason}`);
}

function queryOf(meters: readonly string[], options: Options): Query {
  const { zone, every, groupBy, project, resource, user, source, fill } = options;
  return {
    meters: [...meters],
    ...rangeOf(options, Date.now()),
    zone,
    group_by: groupBy,
    ...every === undefined ? {} : { every },
    ...project === undefined ? {} : { project_id: project },
    ...resource === undefined ? {} : { resource_id: resource },
    ...user === undefined ? {} : { user_id: user },
    ...source === undefined ? {} : { source },
    ...fill === undefined ? {} : { fill: 'zero' },
    ...asOfInput(options),
  };
}

function columnsOf({ groupBy, every }: Options): Column<Row>[] {
  const groups = groupBy.filter((name) => name !== 'meter').map((name): Column<Row> => ({
    title: name.replace(/_id$/, '').replace(/^metadata\./, ''),
    value: (row) => row.group[name],
  }));
  const span: Column<Row>[] = every === undefined
    ? []
    : [{ title: every, value: (row) => shortTime(row.start) }];
  return [
    ...span,
    ...groups,
    { title: 'meter', value: (row) => row.meter },
    { title: 'quantity', value: (row) => row.quantity, align: 'right' },
    { title: 'unit', value: (row) => row.usage_unit },
    { title: 'samples', value: (row) => row.count, align: 'right' },
    {
      title: 'covered s',
      value: (row) => row.unit_seconds === null ? null : row.covered,
      align: 'right',
    },
    { title: 'sealed', value: (row) => row.sealed ? 'yes' : 'no' },
    { title: 'flags', value: (row) => row.flags.join(' ') },
  ];
}

/** What the answer was made from: asked for again, it is the same. */
function footOf(
  { checkpoints, sealed_until }: Pick<Answer, 'checkpoints' | 'sealed_until'>,
): string {
  const sealed = sealed_until === null ? 'nothing yet' : `until ${shortTime(sealed_until)}`;
  return `\nSealed: ${sealed}. The same answer again: --as-of ${asOfText(checkpoints)}\n`;
}

/** `project,metadata.flavor.name`, or the API's own names. */
export function usageGroups(text: string): string[] {
  const names = text.split(',').map((name) => name.trim()).filter((name) => name !== '');
  return [
    ...new Set(names.map((name) => {
      if (/^metadata\../.test(name)) return name;
      const group = GROUPS[name] ?? Object.values(GROUPS).find((known) => known === name);
      if (group !== undefined) return group;
      throw new InvalidArgumentError(
        `'${name}' is none of ${Object.keys(GROUPS).join(', ')}, nor metadata.<path>.`,
      );
    })),
  ];
}
