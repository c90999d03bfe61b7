import type { Command } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { parseTimestamp } from '../meters/timestamp.ts';
import { asOfInput, type AsOfOption, withAsOf } from './as_of_option.ts';
import { connect } from './connection.ts';
import { verifyFile, type VerifyFileOptions } from './evidence.ts';
import {
  collectRows,
  type ListOptions,
  moreLine,
  wholeNumberFrom0,
  withPaging,
} from './list_options.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { type FilterOptions, filtersOf, withSeriesFilters } from './sample_filters.ts';
import { saveEvidence } from './save_evidence.ts';
import { formatFields, formatTable } from './table.ts';
import { withVkey } from './trusted_keys.ts';
import { shortTime } from './usage_range.ts';

export type Window = NephoOutputs['windows']['list']['windows'][number];

interface ShowOptions extends JsonOption, AsOfOption {
  output?: string;
  revision?: number;
}

export function register(program: Command): void {
  const windows = program.command('windows').description('look at sealed hours, and verify them');
  withPaging(withSeriesFilters(
    windows.command('list').description('list the windows in force, the oldest first'),
  )).action(list);
  withJson(withAsOf(
    windows.command('show')
      .argument('<series>', 'key of the series, as the list has it')
      .argument('<start>', 'first instant of the hour')
      .description('show a window as it was sealed, and what late data made of it')
      .option('-o, --output <file>', 'save its evidence, and beside it the keys to verify it with')
      .option(
        '--revision <number>',
        'whose evidence; of the one in force unless given',
        wholeNumberFrom0,
      ),
  )).action(show);
  withJson(withVkey(
    windows.command('verify').argument('<file>', 'the evidence of a window')
      .description('verify a window offline, with nothing but the public key of the deployment'),
  )).action(async (file: string, options: VerifyFileOptions) => {
    await verifyFile(file, { ...options, kind: 'window' });
  });
}

async function list(options: ListOptions & FilterOptions & AsOfOption): Promise<void> {
  const connection = await connect();
  const filters = filtersOf(options);
  const { rows, next_cursor } = await collectRows(options, async (page) => {
    const answer = await connection.call((nepho) =>
      nepho.windows.list.query({ ...filters, ...page })
    );
    return { rows: answer.windows, next_cursor: answer.next_cursor };
  });
  printResult(
    { windows: rows, next_cursor },
    options,
    () => formatWindows(rows) + moreLine(next_cursor),
  );
}

async function show(series: string, start: string, options: ShowOptions): Promise<void> {
  const connection = await connect();
  const name = { series, start: parseTimestamp(start) };
  const answer = await connection.call((nepho) =>
    nepho.windows.get.query({ ...name, ...asOfInput(options) })
  );
  const { output, revision } = options;
  if (output === undefined) {
    printResult(answer, options, () => tellWindow(answer.revisions));
    return;
  }
  const proof = await connection.call((nepho) =>
    nepho.proofs.window.query({ ...name, ...revision === undefined ? {} : { revision } })
  );
  const keyFile = await saveEvidence(connection, output, proof.bundle);
  printResult(
    { ...name, revision: proof.revision, file: output, key_file: keyFile },
    options,
    () =>
      formatFields([
        ['window', output],
        ['revision', proof.revision],
        ['keys', keyFile],
        ['verify', `nepho windows verify ${output}`],
      ]),
  );
}

export function formatWindows(windows: readonly Window[]): string {
  return formatTable([
    { title: 'start', value: (row) => shortTime(row.start) },
    { title: 'meter', value: (row) => row.meter },
    { title: 'quantity', value: (row) => row.quantity, align: 'right' },
    { title: 'unit', value: (row) => row.usage_unit },
    { title: 'samples', value: (row) => row.count, align: 'right' },
    { title: 'resource', value: (row) => row.resource_id },
    { title: 'project', value: (row) => row.project_id },
    { title: 'revision', value: (row) => row.revision, align: 'right' },
    { title: 'series', value: (row) => row.series },
  ], windows);
}

function tellWindow(revisions: readonly Window[]): string {
  const [first] = revisions;
  if (first === undefined) return '';
  const head = formatFields([
    ['meter', `${first.meter} (${first.type})`],
    ['resource', first.resource_id],
    ['project', first.project_id],
    ['user', first.user_id],
    ['source', first.source],
    ['hour', `${shortTime(first.start)} to ${shortTime(first.end)}`],
  ]);
  return `${head}\n` + formatTable([
    { title: 'revision', value: (row) => row.revision, align: 'right' },
    { title: 'quantity', value: (row) => row.quantity, align: 'right' },
    { title: 'unit', value: (row) => row.usage_unit },
    { title: 'samples', value: (row) => row.count, align: 'right' },
    { title: 'sum', value: (row) => row.sum, align: 'right' },
    { title: 'increase', value: (row) => row.increase, align: 'right' },
    { title: 'integral', value: (row) => row.integral, align: 'right' },
    { title: 'covered s', value: (row) => row.covered, align: 'right' },
    { title: 'flags', value: flagsOf },
    {
      title: 'by',
      value: ({ entry }) => `${entry.kind}, entry ${entry.leaf_index} of log ${entry.log_id}`,
    },
  ], revisions);
}

function flagsOf(window: Window): string {
  return [
    ...window.resets > 0 ? ['counter_reset'] : [],
    ...window.steps_back > 0 ? ['counter_stepped_back'] : [],
    ...window.expired ? ['expired'] : [],
    ...window.ended ? ['ended'] : [],
  ].join(' ');
}
