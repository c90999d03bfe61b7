import type { Command } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { isNephoError } from '../meters/errors.ts';
import { connect, type Connection } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatFields, formatTable } from './table.ts';

type SampleStory = NephoOutputs['samples']['explain'];
type NotificationStory = NephoOutputs['notifications']['explain'];

interface Options extends JsonOption {
  source?: string;
}

export function register(program: Command): void {
  withJson(
    program.command('explain').argument('<id>', 'the message_id of a notification, or a sample id')
      .description('say what became of a notification, or where a sample comes from')
      .option('--source <name>', 'the source of the notification'),
  ).action(explain);
}

/** A sample id looks like a message id without hyphens, so both are looked for. */
async function explain(id: string, options: Options): Promise<void> {
  const connection = await connect();
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

function tellSample({ sample, origin, definitions, log }: SampleStory): string {
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
  ]);
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
