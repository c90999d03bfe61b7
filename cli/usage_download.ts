/** Usage as a file, written to standard output as it comes. */
import process from 'node:process';
import type { NephoInputs } from '../client/client.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import type { Connection } from './connection.ts';
import { write } from './output.ts';

export type UsageFile = 'usage.csv' | 'usage.jsonl' | 'usage.focus.csv';

/** @throws {NephoError} `api_unreachable`, `export_broken` if it ends early, and the codes of the API */
export async function exportUsage(
  { url, token }: Connection,
  file: UsageFile,
  query: NephoInputs['usage']['query'],
): Promise<void> {
  const address = new URL(`/export/${file}`, url);
  address.search = parametersOf(query).toString();
  const response = await get(address, token);
  if (!response.ok) throw await refusalOf(response);
  try {
    for await (const chunk of response.body ?? []) await drained(chunk);
  } catch (cause) {
    throw new NephoError(
      'export_broken',
      `Cannot export the whole: the API broke off, the last line may be cut (${
        errorMessage(cause)
      })`,
      { cause },
    );
  }
}

function parametersOf(query: NephoInputs['usage']['query']): URLSearchParams {
  const { as_of, ...rest } = query;
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) parameters.append(name, String(one));
    }
  }
  if (as_of !== undefined) {
    parameters.set('as_of', 'instant' in as_of ? as_of.instant : JSON.stringify(as_of.checkpoints));
  }
  return parameters;
}

async function get(address: URL, token: string | null): Promise<Response> {
  try {
    return await fetch(address, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
  } catch (cause) {
    throw new NephoError(
      'api_unreachable',
      `Cannot reach nepho at ${address.origin}: nothing answers there, start it or set NEPHO_URL`,
      { cause, retryable: true },
    );
  }
}

async function refusalOf(response: Response): Promise<NephoError> {
  const answer: unknown = await response.json().catch(() => null);
  const error = fieldOf(answer, 'error');
  const data = fieldOf(error, 'data');
  const code = fieldOf(data, 'error_code');
  return typeof code === 'string'
    ? new NephoError(
      code,
      `${String(fieldOf(error, 'message'))}. ${String(fieldOf(data, 'remedy'))}`,
    )
    : new NephoError(
      'api_unreadable',
      `Cannot read the answer of ${new URL(response.url).origin}: it does not look like nepho's`,
    );
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** A slow reader of standard output slows the API down, instead of filling the memory here. */
async function drained(chunk: Uint8Array): Promise<void> {
  write(chunk);
  if (process.stdout.writableNeedDrain) {
    await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
  }
}
