import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_DIR } from '../../cli/env.ts';

/** Not ours, or made by programs. */
const SKIPPED = new Set(['node_modules', '.git', '.nepho', 'coverage']);

export interface SourceFile {
  /** From the project's folder, with forward slashes. */
  name: string;
  /** The first folder, or '' for a file of the root. */
  folder: string;
  text: string;
  lines: string[];
}

/** All text files of the project with one of these endings. */
export function sourceFiles(...endings: string[]): SourceFile[] {
  return walk('').filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => {
      const text = readFileSync(path.join(PROJECT_DIR, name), 'utf8');
      const folder = name.includes('/') ? name.slice(0, name.indexOf('/')) : '';
      return { name, folder, text, lines: text.split('\n') };
    });
}

function walk(folder: string): string[] {
  return readdirSync(path.join(PROJECT_DIR, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (SKIPPED.has(entry.name)) return [];
    return entry.isDirectory() ? walk(name) : [name];
  });
}

export interface Import {
  /** As written: a package, a built-in, or a relative path. */
  specifier: string;
  /** The file of the project that it means, or null. */
  file: string | null;
  /** Erased before it runs. */
  isType: boolean;
}

const STATEMENT = /^(?:import|export)\s+(type\s+)?([\w\s{},*$]+?)\s+from\s+'([^']+)'/gm;
const BARE_IMPORT = /^import\s+'([^']+)'/gm;
const DYNAMIC = /\b(?:import|import\.meta\.resolve)\(\s*'([^']+)'/g;
const URL_OF_FILE = /new URL\(\s*'(\.{1,2}\/[^']+)'/g;

/** What a module imports, statically or not, and the files that it names relative to itself. */
export function importsOf({ name, text }: SourceFile): Import[] {
  const statics = [...text.matchAll(STATEMENT)].map(([, type, names = '', specifier = '']) => ({
    specifier,
    isType: type !== undefined || onlyTypes(names),
  }));
  const others = [BARE_IMPORT, DYNAMIC, URL_OF_FILE].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, specifier = '']) => ({ specifier, isType: false }))
  );
  return [...statics, ...others].map((each) => ({ ...each, file: fileOf(name, each.specifier) }));
}

/** `{ type A, type B }`, which is erased as a whole. */
function onlyTypes(names: string): boolean {
  const inner = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
  if (inner === undefined) return false;
  return inner.split(',').map((each) => each.trim()).filter((each) => each !== '')
    .every((each) => each.startsWith('type '));
}

function fileOf(importer: string, specifier: string): string | null {
  if (!/^\.{1,2}\//.test(specifier)) return null;
  return path.posix.normalize(path.posix.join(path.posix.dirname(importer), specifier));
}
