import { stat } from 'node:fs/promises';
import type { ConfigurationText } from '../activities/configuration_source.ts';
import {
  type PollingInForce,
  PollingSource,
  type PollingSourceOptions,
} from '../activities/polling_source.ts';
import { formatFault } from '../meters/definition_fault.ts';
import { NephoError } from '../meters/errors.ts';
import { isThere, readRegular } from './regular_file.ts';

const MAX_POLLING_BYTES = 1024 * 1024;

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
export async function readPollingFile(file: string): Promise<ConfigurationText> {
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
