import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DefinitionFile } from '../meters/definition_compile.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';

/** The definitions that are part of nepho. */
export const SHIPPED_DEFINITIONS = fileURLToPath(new URL('../definitions/', import.meta.url));

/**
 * Reads files and directories (their `*.yaml`, sorted by name) in the order given. Earlier ones go before
 * later ones, so name the operator's directory before {@link SHIPPED_DEFINITIONS}.
 *
 * A shipped file is named `nepho/<file>`, so that a set has the same digest wherever nepho is installed;
 * any other by the path given.
 *
 * @throws {NephoError} `definitions_unreadable`
 */
export async function loadDefinitionDirectory(paths: readonly string[]): Promise<DefinitionFile[]> {
  const files: DefinitionFile[] = [];
  for (const path of paths) {
    try {
      for (const file of await listFiles(path)) {
        const name = resolve(path) === resolve(SHIPPED_DEFINITIONS)
          ? `nepho/${basename(file)}`
          : file;
        files.push({ name, text: await readFile(file, 'utf8') });
      }
    } catch (cause) {
      throw new NephoError(
        'definitions_unreadable',
        `Cannot read the definitions in '${path}': ${errorMessage(cause)}`,
        { context: { path }, cause },
      );
    }
  }
  return files;
}

async function listFiles(path: string): Promise<string[]> {
  const info = await stat(path);
  if (!info.isDirectory()) return [path];
  const names = await readdir(path);
  return names.filter((name) => name.endsWith('.yaml')).sort().map((name) => join(path, name));
}
