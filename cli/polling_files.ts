import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  type PollingInForce,
  PollingSource,
  type PollingSourceOptions,
  type PollingText,
} from '../activities/polling_source.ts';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import { formatFault } from '../meters/definition_fault.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { secretVariable } from './env.ts';

const MAX_POLLING_BYTES = 1024 * 1024;
const MAX_SECRET_BYTES = 64 * 1024;
/** Group and others may do nothing with a secret. */
const FORBIDDEN_MODE = 0o077;

/**
 * The polling.yaml to use: the first of these that is there.
 *
 * @param candidates absolute, as `Settings.pollingFiles`
 * @throws {NephoError} `polling_file_missing`
 */
export async function findPollingFile(candidates: readonly string[]): Promise<string> {
  for (const candidate of candidates) {
    if (await isThere(candidate)) return candidate;
  }
  throw new NephoError(
    'polling_file_missing',
    `Cannot poll: there is no ${
      candidates.map((candidate) => `'${candidate}'`).join(' and no ')
    }, write one or name it by NEPHO_POLLING_FILE`,
    { retryable: true },
  );
}

/** @throws {NephoError} `polling_file_unreadable` */
export async function readPollingFile(file: string): Promise<PollingText> {
  const bytes = await readRegular(file, MAX_POLLING_BYTES, (_, reason, cause) =>
    new NephoError(
      'polling_file_unreadable',
      `Cannot read the polling configuration '${file}': ${reason}`,
      { context: { file }, cause, retryable: true },
    ));
  return { file, text: new TextDecoder().decode(bytes) };
}

/** The polling.yaml that is in force, read anew as it changes. */
export function pollingSourceOf(
  candidates: readonly string[],
  options: Pick<PollingSourceOptions, 'check'> & { nowMs?: () => number } = {},
): PollingSource {
  return new PollingSource({
    stamp: async () => {
      const file = await findPollingFile(candidates);
      const { mtimeMs, ctimeMs, size, ino } = await stat(file);
      return JSON.stringify([file, mtimeMs, ctimeMs, size, ino]);
    },
    read: async () => readPollingFile(await findPollingFile(candidates)),
    nowMs: options.nowMs ?? Date.now,
    ...(options.check === undefined ? {} : { check: options.check }),
  });
}

/**
 * The configuration in force, for a command: without one it ends, and tells all that is wrong.
 *
 * @param warn told each warning, as `file:line:column: code: message. remedy.`
 * @throws {NephoError} `polling_faulty` with every fault, a line each
 */
export async function pollingInForce(
  source: PollingSource,
  warn: (warning: string) => void,
): Promise<PollingInForce> {
  try {
    const polling = await source.current();
    polling.warnings.map(formatFault).forEach(warn);
    return polling;
  } catch (error) {
    const { faults } = source;
    if (faults.length === 0) {
      throw source.fault === null ? error : new NephoError('polling_faulty', source.fault);
    }
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    throw new NephoError(
      'polling_faulty',
      `${faults.map(formatFault).join('\n')}\nCannot use '${faults[0]?.file}': it has ${count}`,
    );
  }
}

/**
 * Gives collectors their secrets. Each is read whenever it is asked for, so that a changed one counts.
 *
 * @param options `baseDir`: what a relative file is relative to, the folder of polling.yaml
 * @returns a function that throws {NephoError} `secret_missing`, `secret_invalid`, `secret_file_exposed`
 */
export function secretResolver(
  options: { baseDir: string; variable?: (name: string) => string | undefined },
): ReadSecret {
  const { baseDir, variable = secretVariable } = options;
  return async (reference) => {
    if ('file' in reference) return await secretOfFile(path.resolve(baseDir, reference.file));
    const value = variable(reference.env);
    if (value !== undefined) return value;
    throw new NephoError(
      'secret_missing',
      `Cannot use the secret of variable '${reference.env}': it is not set or empty, set it for every worker`,
      { context: { variable: reference.env } },
    );
  };
}

async function secretOfFile(file: string): Promise<string> {
  const bytes = await readRegular(
    file,
    MAX_SECRET_BYTES,
    (code, reason, cause) =>
      new NephoError(
        code === 'missing' ? 'secret_missing' : 'secret_invalid',
        `Cannot use the secret in '${file}': ${reason}`,
        { context: { file }, cause },
      ),
    (info) => refuseExposed(file, info),
  );
  // An editor ends a file with a line end, which is no part of the secret.
  const secret = decodeStrictly(bytes)?.replace(/\r?\n$/, '') ?? '';
  if (secret !== '') return secret;
  throw new NephoError(
    'secret_invalid',
    `Cannot use the secret in '${file}': it is empty or no UTF-8 text, write the secret alone`,
    { context: { file } },
  );
}

function refuseExposed(file: string, { mode, uid }: Stats): void {
  if (process.platform === 'win32') return;
  const own = process.getuid?.() ?? 0;
  if (uid !== own && uid !== 0) {
    throw new NephoError(
      'secret_file_exposed',
      `Cannot use the secret in '${file}': it belongs to user ${uid}, run \`chown ${own} '${file}'\``,
      { context: { file } },
    );
  }
  if ((mode & FORBIDDEN_MODE) !== 0) {
    throw new NephoError(
      'secret_file_exposed',
      `Cannot use the secret in '${file}': its mode is ${
        (mode & 0o777).toString(8).padStart(4, '0')
      }, and others than its owner have a right to it, run \`chmod 600 '${file}'\``,
      { context: { file } },
    );
  }
}

/** Reads a regular file that is at most so long; what is looked at is what is read. */
async function readRegular(
  file: string,
  maxBytes: number,
  failure: (code: 'missing' | 'unfit', reason: string, cause?: unknown) => NephoError,
  check: (info: Stats) => void = () => {},
): Promise<Uint8Array> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would be waited for.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw failure('missing', errorMessage(cause), cause);
  }
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw failure('unfit', 'it is no regular file');
    check(info);
    const bytes = new Uint8Array(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = (await handle.read(bytes, length, bytes.length - length, length)).bytesRead;
    }
    if (length > maxBytes) throw failure('unfit', `it has more than ${maxBytes} bytes`);
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}

function decodeStrictly(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}
