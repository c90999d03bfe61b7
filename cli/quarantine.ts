import { Buffer } from 'node:buffer';
import { type Command, InvalidArgumentError } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { NephoError } from '../meters/errors.ts';
import { connect, type Connection } from './connection.ts';
import { collectRows, type ListOptions, moreLine, withPaging } from './list_options.ts';
import { type JsonOption, printResult, withJson, write } from './output.ts';
import { formatFields, formatTable } from './table.ts';

type Item = NephoOutputs['quarantine']['list']['messages'][number];
type Decided = NephoOutputs['quarantine']['retry'];

interface ListFilters extends ListOptions {
  status?: Item['status'];
  reason?: string;
}

interface DecideOptions extends JsonOption {
  all?: boolean;
  reason?: string;
  note?: string;
}

/** Messages decided on in one call. */
const CALL_IDS = 100;

export function register(program: Command): void {
  const quarantine = program.command('quarantine')
    .description('see and decide on messages that could not be understood');
  withPaging(
    quarantine.command('list').description('list messages, the newest first')
      .option('--status <status>', 'open, retried or discarded; open unless told', 'open')
      .option('--reason <code>', 'kept for one reason'),
  ).action(list);
  withJson(
    quarantine.command('show').argument('<id>', 'its number', idOf)
      .description('show one message, with its bytes as they came')
      .option('--bytes', 'write the bytes alone, and nothing else'),
  ).action(show);
  withJson(
    quarantine.command('retry').argument('[ids...]', 'their numbers')
      .description('send the original bytes again, after the cause was mended')
      .option('--all', 'all that are open')
      .option('--reason <code>', 'all that are open for one reason'),
  ).action((ids: string[], options: DecideOptions) => decide('retry', ids, options));
  withJson(
    quarantine.command('discard').argument('[ids...]', 'their numbers')
      .description('decide that messages are never to be counted; their bytes are kept')
      .option('--all', 'all that are open')
      .option('--reason <code>', 'all that are open for one reason')
      .option('--note <text>', 'why'),
  ).action((ids: string[], options: DecideOptions) => decide('discard', ids, options));
}

async function list(options: ListFilters): Promise<void> {
  const connection = await connect();
  const { rows, next_cursor } = await collectRows(
    options,
    (page) => pageOf(connection, options, page),
  );
  printResult({ messages: rows, next_cursor }, options, () =>
    formatTable([
      { title: 'id', value: (item) => item.quarantine_id, align: 'right' },
      { title: 'received', value: (item) => item.received_at },
      { title: 'reason', value: (item) => item.reason },
      { title: 'place', value: (item) => item.place },
      { title: 'event type', value: (item) => item.event_type },
      { title: 'message id', value: (item) => item.origin },
      { title: 'bytes', value: (item) => item.size, align: 'right' },
      { title: 'times', value: (item) => item.attempts, align: 'right' },
      { title: 'status', value: (item) => item.status },
    ], rows) + moreLine(next_cursor));
}

async function pageOf(
  connection: Connection,
  { status, reason }: { status?: Item['status']; reason?: string },
  page: { limit: number; cursor?: string },
): Promise<{ rows: Item[]; next_cursor: string | null }> {
  const filters = {
    ...status === undefined ? {} : { status },
    ...reason === undefined ? {} : { reason },
  };
  const answer = await connection.call((nepho) =>
    nepho.quarantine.list.query({ ...filters, ...page })
  );
  return { rows: answer.messages, next_cursor: answer.next_cursor };
}

async function show(id: number, options: JsonOption & { bytes?: boolean }): Promise<void> {
  const connection = await connect();
  const item = await connection.call((nepho) => nepho.quarantine.show.query({ quarantine_id: id }));
  const bytes = Buffer.from(item.base64, 'base64');
  if (options.bytes === true) {
    write(bytes);
    return;
  }
  printResult(item, options, () => {
    const { base64: _, ...fields } = item;
    return `${formatFields(Object.entries(fields))}\n${escaped(bytes)}\n`;
  });
}

/** The bytes as far as they are printable, one line a line. */
function escaped(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  return text.split('\n').map((line) => formatFields([['', line]]).trim()).join('\n');
}

async function decide(
  what: 'retry' | 'discard',
  ids: readonly string[],
  options: DecideOptions,
): Promise<void> {
  const numbers = ids.map(idOf);
  const isAll = options.all === true || options.reason !== undefined;
  if ((numbers.length === 0) !== isAll) {
    throw new NephoError(
      'usage_invalid',
      `Cannot ${what} without knowing what: name messages by number, or give --all or --reason`,
    );
  }
  const connection = await connect();
  const chosen = isAll ? await openIds(connection, options.reason) : numbers;
  const results: Decided['messages'] = [];
  for (let start = 0; start < chosen.length; start += CALL_IDS) {
    const quarantine_ids = chosen.slice(start, start + CALL_IDS);
    const answer = await connection.call((nepho) =>
      what === 'retry'
        ? nepho.quarantine.retry.mutate({ quarantine_ids })
        : nepho.quarantine.discard.mutate({
          quarantine_ids,
          ...options.note === undefined ? {} : { note: options.note },
        })
    );
    results.push(...answer.messages);
  }
  printResult({ messages: results }, options, () =>
    formatTable([
      { title: 'id', value: (one) => one.quarantine_id, align: 'right' },
      { title: 'result', value: (one) => one.result },
      { title: 'detail', value: (one) => one.detail },
    ], results));
}

async function openIds(connection: Connection, reason: string | undefined): Promise<number[]> {
  const filters = reason === undefined
    ? { status: 'open' as const }
    : { status: 'open' as const, reason };
  const { rows } = await collectRows<Item>(
    { limit: Number.MAX_SAFE_INTEGER },
    (page) => pageOf(connection, filters, page),
  );
  return rows.map((item) => item.quarantine_id);
}

function idOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new InvalidArgumentError('Give the number of a message.');
  }
  return Number(text);
}
