/** From a line of a statement down to the notifications: its windows, and the samples of each. */
import type { NephoOutputs } from '../client/client.ts';
import type { Connection } from './connection.ts';
import { moreLine } from './list_options.ts';
import { type PeriodOptions, statementInput } from './statement_name.ts';
import { formatFields, formatTable } from './table.ts';
import { shortTime } from './usage_range.ts';

type Explained = NephoOutputs['statements']['explainLine'];
type Window = Explained['windows'][number];
type WindowStory = NephoOutputs['windows']['explain'];
type Sample = WindowStory['samples'][number];

/** Windows whose samples are asked for at once. */
const AT_ONCE = 10;
/** Samples of one window that are shown. */
const SAMPLES = 100;

export interface LineOptions extends PeriodOptions {
  line: number;
  limit: number;
  cursor?: string;
}

/** A window with its samples instead of their number. */
type LineWindow =
  & Omit<Window, 'samples'>
  & { sample_count: number }
  & Pick<WindowStory, 'carried' | 'samples' | 'archived'>;

export interface LineStory {
  number: number;
  line: Explained['line'];
  windows: LineWindow[];
  next_cursor: string | null;
}

export async function lineStory(
  connection: Connection,
  period: string,
  options: LineOptions,
): Promise<LineStory> {
  const { line, limit, cursor } = options;
  const name = statementInput(period, options);
  const { head } = await connection.call((nepho) => nepho.statements.get.query(name));
  const explained = await connection.call((nepho) =>
    nepho.statements.explainLine.query({
      ...name,
      number: head.number,
      line,
      limit,
      ...cursor === undefined ? {} : { cursor },
    })
  );
  const windows: LineWindow[] = [];
  for (let start = 0; start < explained.windows.length; start += AT_ONCE) {
    const some = explained.windows.slice(start, start + AT_ONCE);
    windows.push(...await Promise.all(some.map((window) => withSamples(connection, window))));
  }
  return { number: head.number, line: explained.line, windows, next_cursor: explained.next_cursor };
}

async function withSamples(
  connection: Connection,
  window: Window,
): Promise<LineWindow> {
  const { samples: sample_count, ...rest } = window;
  const { series, start, revision } = window;
  // A part of an hour, at the edge of a period, is no window of its own: it is made from samples.
  if (window.entry === null) {
    return { ...rest, sample_count, carried: [], samples: [], archived: false };
  }
  const { carried, samples, archived } = await connection.call((nepho) =>
    nepho.windows.explain.query({ series, start, revision, limit: SAMPLES })
  );
  return { ...rest, sample_count, carried, samples, archived };
}

export function tellLine(
  period: string,
  { number, line, windows, next_cursor }: LineStory,
): string {
  const rows = windows.flatMap((
    window,
  ): { window: LineWindow; sample: Sample | null; held: boolean }[] =>
    window.samples.length > 0
      ? window.samples.map((sample) => ({ window, sample, held: false }))
      : [{ window, sample: window.carried[0] ?? null, held: true }]
  );
  return formatFields([
    ['statement', `${period}, number ${number}`],
    ['meter', `${line.meter} (${line.type})`],
    ['resource', line.resource_id],
    ['quantity', `${line.quantity} ${line.usage_unit}`],
    ...line.difference === null ? [] : [['difference', line.difference]] as const,
    ['sums', `${line.windows.count} windows with ${line.samples} samples`],
    ['flags', line.flags.join(' ')],
  ]) + '\n' + formatTable([
    { title: 'window', value: ({ window }) => shortTime(window.start) },
    { title: 'rev', value: ({ window }) => window.revision, align: 'right' },
    { title: 'quantity', value: ({ window }) => window.quantity, align: 'right' },
    { title: 'sample', value: ({ sample }) => sample?.id },
    { title: 'volume', value: ({ sample }) => sample?.volume, align: 'right' },
    { title: 'at', value: ({ sample, held }) => sample === null ? null : atText(sample, held) },
    { title: 'entry', value: ({ sample }) => entryText(sample) },
    { title: 'came by', value: ({ sample }) => sample?.origin.event_type },
    { title: 'message', value: ({ sample }) => sample?.origin.id },
  ], rows) + moreLine(next_cursor);
}

/** A value that only held on came from a reading before the window. */
function atText({ timestamp }: Sample, held: boolean): string {
  return `${shortTime(timestamp)}${held ? ', held on' : ''}`;
}

function entryText(sample: Sample | null): string | null {
  return sample === null ? null : `${sample.leaf_index} of log ${sample.log_id}`;
}
