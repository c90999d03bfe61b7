import type { Stats } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import { NephoError } from '../meters/errors.ts';
import { secretVariable } from './env.ts';
import { readRegular } from './regular_file.ts';

const MAX_SECRET_BYTES = 64 * 1024;
/** Group and others may do nothing with a secret. */
const FORBIDDEN_MODE = 0o077;

/**
 * Gives collectors and webhooks their secrets. Each is read whenever it is asked for, so that a changed one counts.
 *
 * @param options `baseDir`: what a relative file is relative to, that of the configuration which names it
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

function decodeStrictly(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
