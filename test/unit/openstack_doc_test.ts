import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { parse } from 'yaml';
import { glanceDiscoveries, glancePollsters } from '../../collectors/openstack/glance.ts';
import { novaDiscoveries, novaPollsters } from '../../collectors/openstack/nova.ts';
import { openStackSettingsSchema } from '../../collectors/openstack/settings_schema.ts';
import { GAP_REASONS } from '../../meters/poll_gap.ts';
import { laidDownSession } from '../support/openstack_answers.ts';

const { session } = laidDownSession({});
const pollsters = [...novaPollsters(session), ...glancePollsters(session)];
const page = readFileSync(new URL('../../docs/collectors/openstack.md', import.meta.url), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('|'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** `x`, `y`, each also `.a` and `.b` as x, x.a, x.b, y … */
function namesIn(cell: string): string[] {
  const quoted = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  const endings = ['', ...quoted.filter((name) => name.startsWith('.'))];
  return quoted.filter((name) => !name.startsWith('.'))
    .flatMap((name) => endings.map((ending) => name + ending));
}

test('the page has every meter of Nova and Glance with its type and unit, and no other', () => {
  const written = rows.filter(([, , type]) => type === 'gauge' || type === 'cumulative')
    .flatMap(([, meters = '', type, unit]) =>
      namesIn(meters).map((name) => `${name.replace('<flavor>', '*')} ${type} ${unit}`)
    );
  const declared = pollsters.flatMap(({ meters }) =>
    meters.map(({ name, type, unit }) => `${name} ${type} ${unit}`)
  );
  assert.deepEqual(written.sort(), declared.sort());
});

test('the page names every discovery and pollster', () => {
  const named = [...pollsters, ...novaDiscoveries(session), ...glanceDiscoveries(session)];
  for (const { name } of named) assert.ok(page.includes(`\`${name}\``), name);
});

test('the clouds of the page are as polling.yaml wants them', () => {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const { clouds } = parse(yaml) as { clouds: Record<string, unknown> };
  assert.equal(Object.keys(clouds).length, 3);
  for (const cloud of Object.values(clouds)) openStackSettingsSchema.parse(cloud);
});

test('what the page calls a reason is one', () => {
  const reasons = new Set<string>(GAP_REASONS);
  const table = rows.slice(rows.findIndex(([, first]) => first === 'What comes back') + 2);
  const named = table.slice(0, table.findIndex(([, first]) => first === 'Meter'))
    .flatMap(([, , cell = '']) => namesIn(cell))
    .filter((name) => !['number_as_text', 'clock_skew'].includes(name));
  assert.ok(named.length > 12);
  assert.deepEqual(named.filter((name) => !reasons.has(name)), []);
});
