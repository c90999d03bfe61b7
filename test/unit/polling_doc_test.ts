import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FaultCode } from '../../meters/definition_fault.ts';
import { parsePolling } from '../../meters/polling_parse.ts';

const document = readFileSync(
  fileURLToPath(new URL('../../docs/polling.md', import.meta.url)),
  'utf8',
);

test('docs/polling.md: every polling.yaml that it shows is without fault or warning', () => {
  const blocks = [...document.matchAll(/^```yaml polling\n([\s\S]*?)^```$/gm)];
  assert.ok(blocks.length > 0);
  for (const [, text = ''] of blocks) {
    const parsed = parsePolling(text, { file: 'polling.yaml' });
    assert.deepEqual(parsed.ok ? parsed.warnings : parsed.faults, []);
  }
});

test('docs/polling.md: the table of sources has the keys that a source takes', () => {
  const parsed = parsePolling('sources: [{ zzzzzz: 1 }]', { file: 'p' });
  assert.ok(!parsed.ok);
  const told = parsed.faults.find(({ code }) => code === 'key_unknown')?.remedy ?? '';
  const known = told.replace('Use one of ', '').split(', ').filter((key) => key !== 'counters');
  const section = document.slice(document.indexOf('### Sources'), document.indexOf('### Meters'));
  const table = section.slice(0, section.indexOf('Of other eras'));
  const listed = [...table.matchAll(/^\| `([\w-]+)`/gm)].map((match) => match[1] ?? '');
  assert.deepEqual(listed.sort(), known.sort());
});

test('docs/polling.md: every code of a fault of polling.yaml is explained', () => {
  const codes = [
    'file_too_large',
    'yaml_invalid',
    'key_missing',
    'key_unknown',
    'value_invalid',
    'meters_mixed',
    'name_duplicate',
    'cloud_unknown',
    'secret_inline',
    'setting_invalid',
    'too_many',
    'key_ignored',
  ] satisfies FaultCode[];
  for (const code of codes) assert.match(document, new RegExp(`^\\|.*\`${code}\``, 'm'), code);
});
