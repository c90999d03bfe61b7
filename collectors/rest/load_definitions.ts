import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Fault } from '../../meters/definition_fault.ts';
import { errorMessage } from '../../meters/errors.ts';
import { type CompiledRest, compileRestDefinitions, type RestFile } from './definition_compile.ts';
import type { RestSettings } from './settings_schema.ts';

/** Files of all folders together, and bytes of one. */
const MAX_FILES = 1_000;
const MAX_BYTES = 4 * 1024 * 1024;
const OTHERS_MAY_READ = 0o077;

/**
 * Reads the pollster files of all folders, `*.yaml` in the order of their names as Ceilometer does, and
 * compiles them together. A folder or file that cannot be read is a fault; an empty folder is none.
 *
 * @param base what relative folders are beside
 */
export async function loadRestDefinitions(
  settings: RestSettings,
  base: string,
): Promise<CompiledRest> {
  const files: RestFile[] = [];
  const faults: Fault[] = [];
  for (const folder of settings.definitions_dirs) {
    const directory = path.resolve(base, folder);
    let names: string[];
    try {
      names = (await readdir(directory)).filter((name) => name.endsWith('.yaml')).sort();
    } catch (error) {
      faults.push(unreadable(directory, error, 'Correct definitions_dirs'));
      continue;
    }
    for (const name of names) {
      const file = path.join(directory, name);
      try {
        files.push(await readOne(file));
      } catch (error) {
        faults.push(unreadable(file, error, 'Let the worker read it, or remove it'));
      }
      if (files.length > MAX_FILES) {
        const error = `there are more than ${MAX_FILES} files`;
        return { ok: false, faults: [unreadable(directory, error, 'Join some')], warnings: [] };
      }
    }
  }
  const compiled = compileRestDefinitions(files, settings);
  if (faults.length === 0) return compiled;
  const others = compiled.ok ? [] : compiled.faults;
  return { ok: false, faults: [...faults, ...others], warnings: compiled.warnings };
}

async function readOne(file: string): Promise<RestFile> {
  const { mode, size } = await stat(file);
  if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, at most ${MAX_BYTES} are read`);
  const text = await readFile(file, 'utf8');
  return { name: file, text, isPrivate: (mode & OTHERS_MAY_READ) === 0 };
}

function unreadable(file: string, error: unknown, remedy: string): Fault {
  const message = `It cannot be read: ${errorMessage(error)}`;
  return { file, line: 1, column: 1, code: 'definition_invalid', message, remedy };
}
