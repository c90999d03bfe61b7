import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { sha256Hex } from '../ledger/sha256.ts';
import { PROJECT_DIR } from './env.ts';

/**
 * The version of the program as seals name it: `nepho/0.1.0+0123456789ab`, the last part from the workflows'
 * bundle, so that a history can be replayed by what recorded it.
 */
export async function codeVersion(bundle: { code: string }): Promise<string> {
  const text = await readFile(path.join(PROJECT_DIR, 'package.json'), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return `nepho/${version}+${sha256Hex(bundle.code).slice(0, 12)}`;
}
