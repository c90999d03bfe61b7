import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import * as coverage from '../../cli/coverage.ts';
import * as poll from '../../cli/poll.ts';
import * as sources from '../../cli/sources.ts';
import type { FaultCode } from '../../meters/definition_fault.ts';
import { GAP_REASONS, REMARK_CODES } from '../../meters/poll_gap.ts';
import { parsePolling } from '../../meters/polling_parse.ts';
import { POLL_SHARE, pollHeartbeatSeconds } from '../../temporal.config.ts';

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

/** The first column of the table below a heading. */
function firstColumn(heading: string): string[] {
  const section = document.slice(document.indexOf(`\n### ${heading}\n`) + 5 + heading.length);
  const table = section.slice(0, section.search(/^#/m));
  return [...table.matchAll(/^\| `(\w+)` +\|/gm)].map((match) => match[1] ?? '');
}

test('docs/polling.md: every reason of a gap and every remark is explained, in their order', () => {
  assert.deepEqual(firstColumn('Reasons'), [...GAP_REASONS]);
  assert.deepEqual(firstColumn('Remarks'), [...REMARK_CODES]);
});

test('docs/polling.md: the limits of a cycle are those that the code has', () => {
  const { polling, run } = POLL_SHARE;
  assert.match(document, new RegExp(`\\| polling time +\\| ${polling * 100} % of the interval`));
  assert.match(
    document,
    new RegExp(`\\| run timeout +\\| ${run * 100} % of the interval: 57 s of 60 s`),
  );
  assert.match(document, /noticed by its heartbeat within 10 s/);
  assert.equal(pollHeartbeatSeconds(3_600), 10);
  assert.equal(pollHeartbeatSeconds(16), 4);
});

test('docs/polling.md: every command that it shows is one that nepho understands', async () => {
  const blocks = [...document.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
  const lines = blocks.flatMap((block) => block.trimEnd().split('\n'));
  assert.ok(lines.length >= 12);
  for (const line of lines) {
    const words = [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
    assert.deepEqual(words.splice(0, 2), ['npx', 'nepho'], line);
    let ran = 0;
    const program = new Command();
    for (const { register } of [sources, coverage, poll]) register(program);
    for (const command of everyCommand(program)) {
      command.exitOverride().configureOutput({ writeErr: () => {} });
      if (command.commands.length > 0) continue;
      command.action(() => {
        ran += 1;
      });
    }
    await program.parseAsync(words, { from: 'user' });
    assert.equal(ran, 1, line);
  }
});

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
