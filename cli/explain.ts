import type { Command } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { isNephoError, NephoError } from '../meters/errors.ts';
import { connect, type Connection } from './connection.ts';
import { lineStory, tellLine } from './explain_line.ts';
import { wholeNumberFrom0, withPaging } from './list_options.ts';
import { type JsonOption, printResult } from './output.ts';
import type { PeriodOptions } from './statement_name.ts';
import { formatFields, formatTable } from './table.ts';
import { shortTime } from './usage_range.ts';

type SampleStory = NephoOutputs['samples']['explain'];
type NotificationStory = NephoOutputs['notifications']['explain'];

interface Options extends JsonOption, PeriodOptions {
  source?: string;
  period?: string;
  line?: number;
  limit: number;
  cursor?: string;
}

export function register(program: Command): void {
  const command = program.command('explain')
    .argument('[id]', 'the message_id of a notification, or a sample id')
    .description(
      'say what became of a notification and where it counts, where a sample comes from, or what a line ' +
        'of a statement sums',
    )
    .option('--source <name>', 'the source of the notification')
    .option('--line <number>', 'a line of the statement that --period names', wholeNumberFrom0)
    .option('--period <name>', 'of the statement, as 2026-10')
    .option('--project <id>', 'of the statement; needed with an operator key')
    .option('--number <number>', 'of the amendment; the last one unless given', wholeNumberFrom0);
  withPaging(command).action(explain);
}

async function explain(id: string | undefined, options: Options): Promise<void> {
  const { line, period } = options;
  if (
    (id === undefined) === (line === undefined) || (line === undefined) !== (period === undefined)
  ) {
    throw new NephoError(
      'usage_invalid',
      'Cannot tell what to explain: give an id, or a line of a statement by --period and --line',
    );
  }
  const connection = await connect();
  if (id !== undefined) return await explainId(connection, id, options);
  if (line === undefined || period === undefined) return;
  const story = await lineStory(connection, period, { ...options, line });
  printResult({ kind: 'statement_line', period, ...story }, options, () => tellLine(period, story));
}

/** A sample id looks like a message id without hyphens, so both are looked for. */
async function explainId(connection: Connection, id: string, options: Options): Promise<void> {
  const sample = /^[0-9a-f]{32}$/.test(id) ? await sampleStory(connection, id) : null;
  if (sample !== null) {
    printResult({ kind: 'sample', ...sample }, options, () => tellSample(sample));
    return;
  }
  const { source } = options;
  const story = await connection.call((nepho) =>
    nepho.notifications.explain.query({
      message_id: id,
      ...source === undefined ? {} : { source },
    })
  );
  printResult({ kind: 'notification', ...story }, options, () => tellNotification(story));
}

async function sampleStory(connection: Connection, id: string): Promise<SampleStory | null> {
  try {
    return await connection.call((nepho) => nepho.samples.explain.query({ id }));
  } catch (error) {
    if (isNephoError(error) && error.code === 'not_found') return null;
    throw error;
  }
}

function tellSample({ sample, origin, definitions, log, usage }: SampleStory): string {
  return formatFields([
    ['sample', sample.id],
    ['meter', `${sample.meter} (${sample.type})`],
    ['volume', `${sample.volume} ${sample.unit}`],
    ['resource', sample.resource_id],
    ['project', sample.project_id],
    ['timestamp', sample.timestamp],
    ['recorded', sample.recorded_at],
    ['notification', origin.id],
    ['event type', origin.event_type],
    ['came again', `${origin.redelivered} times`],
    ...definitions.rules.map(({ name, file, line }) =>
      ['definition', `${file}:${line} (${name})`] as const
    ),
    ['definition set', definitions.digest],
    ['log', `${log.log_id}, entry ${log.leaf_index}`],
    ['receipt', `nepho receipt ${sample.id}`],
    ['window', `${usage.series} ${shortTime(usage.start)}`],
    ...usage.revisions.map(({ revision, counts, log_id, leaf_index }) =>
      [
        `revision ${revision}`,
        `${counts ? 'has it' : 'is older'}: entry ${leaf_index} of log ${log_id}`,
      ] as const
    ),
    ...usage.statement_lines.map((one) => ['counts in', lineText(one)] as const),
    ...usage.reason === null
      ? []
      : [['counts in', `${usage.explanation} (${usage.reason})`]] as const,
  ]);
}

type NotifiedSample = NotificationStory['understood'][number]['samples'][number];

/** The last statement that has it, or why none does. */
function countsIn({ usage }: NotifiedSample): string | null {
  if (usage === null) return null;
  const last = usage.statement_lines.at(-1);
  return last === undefined ? usage.reason?.replaceAll('_', ' ') ?? null : lineText(last);
}

function lineText(
  { period, number, line }: SampleStory['usage']['statement_lines'][number],
): string {
  return `line ${line} of ${period}, number ${number}`;
}

function tellNotification(story: NotificationStory): string {
  const parts = [formatFields([['notification', story.message_id]])];
  for (const one of story.understood) {
    parts.push(formatFields([
      ['source', one.source],
      ['event type', one.event_type],
      ['received', one.received_at],
      ['outcome', one.outcome.replaceAll('_', ' ')],
      ['came again', `${one.redelivered} times`],
    ]));
    if (one.samples.length > 0) {
      parts.push(formatTable([
        { title: 'sample', value: (row) => row.id },
        { title: 'meter', value: (row) => row.meter },
        { title: 'volume', value: (row) => row.volume, align: 'right' },
        { title: 'unit', value: (row) => row.unit },
        { title: 'resource', value: (row) => row.resource_id },
        { title: 'counts in', value: countsIn },
      ], one.samples));
    }
  }
  if (story.quarantined.length > 0) {
    parts.push(formatTable([
      { title: 'quarantine', value: (row) => row.quarantine_id },
      { title: 'reason', value: (row) => row.reason },
      { title: 'place', value: (row) => row.place },
      { title: 'detail', value: (row) => row.detail },
      { title: 'received', value: (row) => row.received_at },
      { title: 'status', value: (row) => row.status },
    ], story.quarantined));
  }
  return parts.join('\n');
}
