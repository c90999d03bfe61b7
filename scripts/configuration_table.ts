/**
 * `npm run docs`: writes the table of variables into docs/running.md from cli/environment_schema.ts,
 * which test/unit/env_test.ts holds it to.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { PROJECT_DIR } from '../cli/env.ts';
import { variableNotes } from '../cli/environment_schema.ts';

export const RUNNING_DOC: string = path.join(PROJECT_DIR, 'docs', 'running.md');
const BEGIN = '<!-- configuration: written by `npm run docs` -->';
const END = '<!-- end of configuration -->';

/** The table as Markdown, unaligned. */
export function configurationTable(): string {
  const rows = variableNotes().map(([name, { kind, example, meaning, fallback }]) =>
    `| \`${name}\` | ${meaning} | ${kind}, as \`${example}\` | ${fallback} |`
  );
  return [
    '| Variable | Meaning | Value | Without it |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** What stands between the marks. */
export function tableInDoc(text: string): string {
  return text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)).trim();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const text = readFileSync(RUNNING_DOC, 'utf8');
  const [before = '', rest = ''] = text.split(BEGIN);
  const after = rest.slice(rest.indexOf(END));
  writeFileSync(RUNNING_DOC, `${before}${BEGIN}\n\n${configurationTable()}\n\n${after}`);
}
