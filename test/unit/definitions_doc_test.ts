import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runDefinitionsTry } from '../../cli/definitions_try.ts';
import { compileDefinitions } from '../../meters/definition_compile.ts';
import { compilePath } from '../../meters/path.ts';
import { recordingOutput } from '../support/recording_output.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/definitions.md', import.meta.url));

test('docs/definitions.md: the worked example gives the sample that it shows', async () => {
  const document = await readFile(DOCUMENT, 'utf8');
  const directory = await mkdtemp(join(tmpdir(), 'nepho-doc-'));
  try {
    const [definitions, notifications] = [join(directory, 'a.yaml'), join(directory, 'n.json')];
    await writeFile(definitions, block(document, 'yaml example'));
    await writeFile(notifications, block(document, 'json notification'));
    const out = recordingOutput();
    const request = { definitionFiles: [definitions], notificationsFile: notifications };
    assert.equal(await runDefinitionsTry(request, out), 0);
    assert.deepEqual(JSON.parse(out.written), JSON.parse(block(document, 'json samples')));
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('docs/definitions.md: every YAML block compiles', async () => {
  const document = await readFile(DOCUMENT, 'utf8');
  const blocks = [...document.matchAll(/^```yaml.*\n([\s\S]*?)^```$/gm)].map((match) =>
    match[1] ?? ''
  );
  assert.equal(blocks.length, 3);
  for (const text of blocks) {
    const compiled = compileDefinitions([{ name: 'block.yaml', text }]);
    assert.deepEqual(compiled.ok ? compiled.warnings : compiled.faults, []);
  }
});

test('docs/definitions.md: every path of the table of paths can be read', async () => {
  const document = await readFile(DOCUMENT, 'utf8');
  const table = document.slice(
    document.indexOf('| Path '),
    document.indexOf('Three rules surprise'),
  );
  const rows = table.split('\n').slice(2).filter((row) => row.startsWith('|'));
  const paths = rows.flatMap((row) => {
    const cell = row.split(/(?<!\\)\|/)[1] ?? '';
    return [...cell.matchAll(/``\s?(.+?)\s``|`([^`]+)`/g)].map((match) =>
      (match[1] ?? match[2] ?? '').replaceAll('\\|', '|')
    );
  });
  assert.ok(paths.length > 20);
  for (const path of paths) assert.doesNotThrow(() => compilePath(path), path);
});

function block(document: string, language: string): string {
  const start = document.indexOf(`\`\`\`${language}\n`);
  assert.ok(start >= 0, `a block of ${language}`);
  const from = document.indexOf('\n', start) + 1;
  return document.slice(from, document.indexOf('\n```', from));
}
