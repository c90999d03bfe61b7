/** Code that documentation shows, taken out of it to be run. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sourceFiles } from './source_files.ts';

/** The code of each `@example` in a source file. */
export function docExamples(name: string): string[] {
  const file = sourceFiles('.ts').find((one) => one.name === name);
  if (file === undefined) throw new Error(`there is no ${name}`);
  const comments = file.lines.join('\n').match(/\/\*\*[^]*?\*\//g) ?? [];
  return comments.flatMap((comment) => {
    const lines = comment.split('\n').map((line) => line.replace(/^\s*(?:\/\*\*|\*\/|\*) ?/, ''));
    const at = lines.findIndex((line) => line.startsWith('@example'));
    if (at < 0) return [];
    const end = lines.findIndex((line, index) => index > at && line.startsWith('@'));
    return [lines.slice(at + 1, end < 0 ? undefined : end).join('\n')];
  });
}

/** Runs code as a module of its own, in this process. @returns what it exports */
export async function runModule(code: string): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), 'nepho-example-'));
  try {
    const file = join(folder, 'example.mts');
    await writeFile(file, code);
    return await import(pathToFileURL(file).href) as Record<string, unknown>;
  } finally {
    await rm(folder, { recursive: true });
  }
}
