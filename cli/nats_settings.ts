import { readFile } from 'node:fs/promises';
import type { BusOptions } from '../bus/connection.ts';
import { NephoError } from '../meters/errors.ts';
import type { Settings } from './env.ts';

/**
 * How to connect to NATS as configured.
 *
 * @param name who connects, for NATS's monitoring
 * @throws {NephoError} `file_unreadable` for the file of NEPHO_NATS_CREDENTIALS
 */
export async function busOptions(
  settings: Pick<Settings, 'natsCredentialsFile'> & { natsUrl: string },
  name: string,
): Promise<BusOptions> {
  const { natsUrl: url, natsCredentialsFile: file } = settings;
  if (file === null) return { url, name };
  try {
    return { url, name, credentials: await readFile(file, 'utf8') };
  } catch (cause) {
    throw new NephoError(
      'file_unreadable',
      `Cannot read '${file}', which NEPHO_NATS_CREDENTIALS names: see that it is there and readable`,
      { cause },
    );
  }
}
