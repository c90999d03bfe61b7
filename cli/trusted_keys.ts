/** The public keys that a verification believes. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parseEntry } from '../ledger/entry.ts';
import type { KeyEntry } from '../ledger/key_entry.ts';
import { NephoError } from '../meters/errors.ts';

export interface VkeyOption {
  vkey: string[];
}

/** Adds `--vkey`. */
export function withVkey(command: Command): Command {
  return command.option(
    '--vkey <key|file>',
    'a verifier key, or a file of such keys; may be repeated',
    (text: string, before: string[]) => [...before, text],
    [],
  );
}

/** Where `nepho receipt --output` saves the keys. */
export function keyFileOf(receipt: string): string {
  return `${receipt}.vkey`;
}

/** Where `nepho receipt --output` saves the log's `key` entries, one a line, the oldest first. */
export function rotationFileOf(receipt: string): string {
  return `${receipt}.rotations`;
}

/**
 * The `key` entries saved beside a receipt, none if there is no such file. They need no trust: each is
 * endorsed by the key before it.
 *
 * @throws {NephoError} `entry_invalid`
 */
export async function savedRotations(receipt: string): Promise<KeyEntry[]> {
  const lines = await linesOfFile(rotationFileOf(receipt)) ?? [];
  return lines.map((line) => parseEntry(line)).filter((entry) => entry.kind === 'key');
}

/**
 * The keys given by `--vkey`, else those in the file beside what is verified.
 *
 * @throws {NephoError} `vkey_missing`
 */
export async function trustedKeys(given: readonly string[], beside: string): Promise<string[]> {
  if (given.length === 0) {
    const found = await linesOfFile(beside);
    if (found !== null && found.length > 0) return found;
    throw new NephoError(
      'vkey_missing',
      `Cannot verify without a key to believe: give --vkey, or save the keys as '${beside}'`,
    );
  }
  const keys = await Promise.all(given.map(async (text) => {
    // A verifier key has two plus signs: name, key id and public key.
    return text.split('+').length >= 3 ? [text] : await linesOfFile(text) ?? [text];
  }));
  return keys.flat();
}

async function linesOfFile(path: string): Promise<string[] | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
}
