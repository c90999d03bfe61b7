import { writeFile } from 'node:fs/promises';
import type { Connection } from './connection.ts';
import { keyFileOf, rotationFileOf } from './trusted_keys.ts';

/** Saves a receipt or a bundle, and beside it the keys to verify it with. @returns the file of the keys */
export async function saveEvidence(
  connection: Connection,
  file: string,
  text: string,
): Promise<string> {
  const { keys } = await connection.call((nepho) => nepho.logs.keys.query());
  await writeFile(file, text);
  await writeFile(keyFileOf(file), keys.map(({ vkey }) => `${vkey}\n`).join(''));
  const oldestFirst = keys.toReversed().map(({ entry }) => `${entry}\n`);
  await writeFile(rotationFileOf(file), oldestFirst.join(''));
  return keyFileOf(file);
}
