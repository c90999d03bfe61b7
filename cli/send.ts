import { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import type { Command } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { connect, type Connection } from './connection.ts';
import { splitMessages } from './message_split.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { withProgress } from './progress.ts';
import { formatFields } from './table.ts';

interface Options extends JsonOption {
  raw?: boolean;
}

type Outcome = NephoOutputs['notifications']['publish']['outcomes'][number];

/** Messages and bytes of one call. A message beyond it goes alone. */
const CALL_MESSAGES = 500;
const CALL_BYTES = 4 * 1024 * 1024;
/** Bytes of a whole input, which is held in memory. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024;

export function register(program: Command): void {
  withJson(
    program.command('send').argument('<file>', 'a file, or - for standard input')
      .description(
        'publish notifications: one, a list, or one a line; oslo v1, v2, or a CloudEvent around it',
      )
      .option('--raw', 'send the whole input as one message, whatever it is'),
  ).action(send);
}

async function send(file: string, options: Options): Promise<void> {
  const input = await readInput(file);
  const { messages, unreadable } = options.raw === true
    ? { messages: [input], unreadable: 0 }
    : splitMessages(input);
  const connection = await connect();
  const outcomes: Outcome[] = [];
  await withProgress('Sending', () => publishAll(connection, messages, outcomes), {
    detail: () => `${outcomes.length} of ${messages.length}`,
  });
  const refusal = outcomes.find((outcome) => outcome.status === 'refused');
  const summary = summarise(outcomes, { messages: messages.length, unreadable });
  printResult(summary, options, () => formatFields(Object.entries(summary)));
  if (refusal?.status === 'refused') {
    throw new NephoError(
      refusal.error_code,
      `Cannot send the whole input: ${refusal.message}; send it again, what is stored counts once`,
    );
  }
}

function summarise(
  outcomes: readonly Outcome[],
  input: { messages: number; unreadable: number },
): Record<string, number> {
  const count = (status: Outcome['status']) => outcomes.filter((o) => o.status === status).length;
  return {
    messages: input.messages,
    stored: count('stored'),
    duplicates: count('duplicate'),
    refused: input.messages - count('stored') - count('duplicate'),
    /** Sent as they are: the quarantine shows them. */
    not_json: input.unreadable,
  };
}

/** Stops at the first refusal: what hindered one hinders the next. */
async function publishAll(
  connection: Connection,
  messages: readonly Uint8Array[],
  outcomes: Outcome[],
): Promise<void> {
  for (let start = 0; start < messages.length;) {
    const part = nextPart(messages, start);
    const answer = await connection.call((nepho) =>
      nepho.notifications.publish.mutate({ messages: part.map(encode) })
    );
    outcomes.push(...answer.outcomes);
    if (answer.refused > 0) return;
    start += part.length;
  }
}

function nextPart(messages: readonly Uint8Array[], start: number): Uint8Array[] {
  const part: Uint8Array[] = [];
  let bytes = 0;
  for (const message of messages.slice(start, start + CALL_MESSAGES)) {
    bytes += message.length;
    if (part.length > 0 && bytes > CALL_BYTES) return part;
    part.push(message);
  }
  return part;
}

function encode(message: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(message) };
  } catch {
    return { base64: Buffer.from(message).toString('base64') };
  }
}

async function readInput(file: string): Promise<Uint8Array> {
  const input = file === '-' ? await readStandardInput() : await readNamed(file);
  if (input.length <= MAX_INPUT_BYTES) return input;
  throw new NephoError(
    'input_too_large',
    `Cannot send '${file}': it has ${input.length} bytes, send parts of at most ${MAX_INPUT_BYTES}`,
  );
}

async function readNamed(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new NephoError('file_unreadable', `Cannot read '${file}': ${errorMessage(cause)}`, {
      cause,
    });
  }
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    chunks.push(bytes);
    length += bytes.length;
    if (length > MAX_INPUT_BYTES) break;
  }
  return Buffer.concat(chunks);
}
