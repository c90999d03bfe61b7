import type { Command } from 'commander';
import type { NephoInputs, NephoOutputs } from '../client/client.ts';
import { connect } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { registerEvidence } from './statement_evidence.ts';
import { registerOrders } from './statement_orders.ts';
import { type PeriodOptions, statementInput, withPeriod } from './statement_name.ts';
import { formatFields, formatTable } from './table.ts';
import { shortTime } from './usage_range.ts';

type Statement = NephoOutputs['statements']['get'];
type Line = Statement['statement']['lines'][number];

interface ListFilters extends ListOptions {
  project?: string;
  period?: string;
  from?: string;
  to?: string;
}

export function register(program: Command): void {
  const statements = program.command('statements')
    .description('what projects used in their periods, closed, amended and told');
  withPaging(
    statements.command('list').description('list statements, the period that ended last first')
      .option('--project <id>', 'of one project')
      .option('--period <name>', 'of one period, as 2026-10')
      .option('--from <time>', 'of periods that end after this time')
      .option('--to <time>', 'of periods that begin before this time'),
  ).action(list);
  withJson(
    withPeriod(statements.command('show'), { number: true })
      .description('show a statement: its lines, totals and open gaps'),
  ).action(show);
  withJson(
    statements.command('totals').argument('[period]', 'as 2026-10; the present one unless given')
      .description('what a period comes to so far, unsealed hours included')
      .option('--project <id>', 'whose; needed with an operator key'),
  ).action(totals);
  registerEvidence(statements);
  registerOrders(statements);
}

async function list(options: ListFilters): Promise<void> {
  const connection = await connect();
  const { project, period, from, to } = options;
  const filters: NonNullable<NephoInputs['statements']['list']> = {
    ...project === undefined ? {} : { project_id: project },
    ...period === undefined ? {} : { period },
    ...from === undefined ? {} : { from },
    ...to === undefined ? {} : { to },
  };
  const { rows, next_cursor } = await collectRows(options, async (page) => {
    const answer = await connection.call((nepho) =>
      nepho.statements.list.query({ ...filters, ...page })
    );
    return { rows: answer.statements, next_cursor: answer.next_cursor };
  });
  printResult(
    { statements: rows, next_cursor },
    options,
    () =>
      formatTable([
        { title: 'period', value: (row) => row.period },
        { title: 'project', value: (row) => row.project_id },
        { title: 'number', value: (row) => row.number, align: 'right' },
        { title: 'lines', value: (row) => row.lines, align: 'right' },
        { title: 'closed', value: (row) => shortTime(row.closed_at) },
        { title: 'digest', value: (row) => row.digest },
      ], rows) + moreLine(next_cursor),
  );
}

async function show(period: string, options: PeriodOptions & JsonOption): Promise<void> {
  const connection = await connect();
  const answer = await connection.call((nepho) =>
    nepho.statements.get.query(statementInput(period, options))
  );
  printResult(answer, options, () => tellStatement(answer));
}

async function totals(
  period: string | undefined,
  options: JsonOption & { project?: string },
): Promise<void> {
  const connection = await connect();
  const { project } = options;
  const answer = await connection.call((nepho) =>
    nepho.statements.totals.query({
      ...period === undefined ? {} : { period },
      ...project === undefined ? {} : { project_id: project },
    })
  );
  printResult(answer, options, () =>
    formatFields([
      ['project', answer.project_id],
      ['period', `${answer.period}: ${shortTime(answer.start)} to ${shortTime(answer.end)}`],
      ['counted until', shortTime(answer.until)],
      ['sealed until', answer.sealed_until === null ? null : shortTime(answer.sealed_until)],
    ]) + `\n${formatTotals(answer.totals)}`);
}

function tellStatement({ head, statement }: Statement): string {
  const isAmendment = statement.number > 0;
  const parts = [
    formatFields([
      ['project', statement.project_id],
      [
        'period',
        `${statement.period}: ${shortTime(statement.start)} to ${shortTime(statement.end)}`,
      ],
      ['zone', statement.zone],
      ['number', statement.number],
      ...isAmendment ? [['amends', statement.amends?.digest]] as const : [],
      ['closed', shortTime(statement.closed_at)],
      ['digest', head.digest],
      ['log', `${head.log.log_id}, entry ${head.log.leaf_index}`],
    ]),
    formatTable<{ index: number; line: Line }>([
      { title: 'line', value: ({ index }) => index, align: 'right' },
      { title: 'meter', value: ({ line }) => line.meter },
      { title: 'resource', value: ({ line }) => line.resource_id },
      { title: 'quantity', value: ({ line }) => line.quantity, align: 'right' },
      { title: 'unit', value: ({ line }) => line.usage_unit },
      ...isAmendment
        ? [{
          title: 'difference',
          value: ({ line }: { line: Line }) => line.difference,
          align: 'right',
        }] as const
        : [],
      { title: 'windows', value: ({ line }) => line.windows.count, align: 'right' },
      { title: 'samples', value: ({ line }) => line.samples, align: 'right' },
      { title: 'flags', value: ({ line }) => line.flags.join(' ') },
    ], statement.lines.map((line, index) => ({ index, line }))),
    formatTotals(statement.totals),
  ];
  if (statement.gaps.length > 0) {
    parts.push(formatTable([
      { title: 'open gap', value: (gap) => gap.meter },
      { title: 'resource', value: (gap) => gap.resource_id },
      { title: 'from', value: (gap) => shortTime(gap.from) },
      { title: 'to', value: (gap) => shortTime(gap.to) },
      { title: 'reason', value: (gap) => gap.reason },
    ], statement.gaps));
  }
  return parts.join('\n');
}

function formatTotals(
  rows: readonly { meter: string; quantity: string; usage_unit: string }[],
): string {
  return formatTable([
    { title: 'total', value: (row) => row.meter },
    { title: 'quantity', value: (row) => row.quantity, align: 'right' },
    { title: 'unit', value: (row) => row.usage_unit },
  ], rows);
}
