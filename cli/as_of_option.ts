/** The state of knowledge that a question names on the command line. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NephoInputs } from '../client/client.ts';
import { parseTimestamp } from '../meters/timestamp.ts';

export type AsOf = NonNullable<NephoInputs['usage']['query']['as_of']>;

export interface AsOfOption {
  asOf?: AsOf;
}

const CHECKPOINT = /^([^@,\s]+)@([1-9]\d{0,12})$/;

export function withAsOf(command: Command): Command {
  return command.addOption(
    new Option('--as-of <instant|checkpoints>', 'what was known then').argParser(asOfOf),
  );
}

/** What the API is asked for. */
export function asOfInput({ asOf }: AsOfOption): { as_of?: AsOf } {
  return asOf === undefined ? {} : { as_of: asOf };
}

/** An instant, or checkpoints as `nepho.example/log/0@1234` with commas. */
export function asOfOf(text: string): AsOf {
  if (!text.includes('@')) {
    try {
      return { instant: parseTimestamp(text) };
    } catch {
      throw refused(text);
    }
  }
  const checkpoints = text.split(',').map((part) => {
    const [, origin, size] = CHECKPOINT.exec(part.trim()) ?? [];
    if (origin === undefined) throw refused(part);
    return { origin, size: Number(size) };
  });
  return { checkpoints };
}

/** The checkpoints of an answer as `--as-of` takes them. */
export function asOfText(checkpoints: readonly { origin: string; size: number }[]): string {
  return checkpoints.map(({ origin, size }) => `${origin}@${size}`).join(',');
}

function refused(text: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `'${text}' is neither a time nor checkpoints as nepho.example/log/0@1234,nepho.example/log/1@567.`,
  );
}
