/** The pages of the collectors for hosts: their examples are valid, and their tables whole. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { z } from 'zod';
import { IPMI_METERS } from '../../collectors/ipmi/node_readings.ts';
import { ipmiSettingsSchema } from '../../collectors/ipmi/settings_schema.ts';
import { DOMAIN_METERS } from '../../collectors/libvirt/domain_readings.ts';
import { libvirtSettingsSchema } from '../../collectors/libvirt/settings_schema.ts';
import type { PollsterMeter } from '../../collectors/polling/pollster.ts';
import { SNMP_METERS } from '../../collectors/snmp/host_readings.ts';
import { snmpSettingsSchema } from '../../collectors/snmp/settings_schema.ts';

const PAGES: readonly [string, z.ZodType, readonly PollsterMeter[]][] = [
  ['libvirt', libvirtSettingsSchema, DOMAIN_METERS],
  ['snmp', snmpSettingsSchema, SNMP_METERS],
  ['ipmi', ipmiSettingsSchema, IPMI_METERS],
];

for (const [name, schema, meters] of PAGES) {
  const file = fileURLToPath(new URL(`../../docs/collectors/${name}.md`, import.meta.url));
  const page = readFileSync(file, 'utf8');

  test(`docs/collectors/${name}.md: the example is valid`, () => {
    const [, example = ''] = /```yaml\n([^]*?)```/.exec(page) ?? [];
    const settings = (parse(example) as { collectors: Record<string, unknown> }).collectors[name];
    assert.deepEqual(schema.safeParse(settings).error?.issues ?? [], []);
  });

  test(`docs/collectors/${name}.md: the table has every meter with its type and unit`, () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    for (const { name: meter, type, unit } of meters) {
      const row = rows.find(([, names = '']) =>
        namesIn(names).includes(meter.replace('*', '<flavor>'))
      );
      assert(row !== undefined, `${meter} is not there`);
      const text = row.slice(2).join(' | ');
      if (name !== 'ipmi') assert(text.includes(type), `${meter}: ${type}`);
      // Sums over devices of several units leave it to the row above.
      assert(row[3] === '' || text.includes(unit), `${meter}: ${unit}`);
    }
  });
}

/** The names of a cell, those abbreviated to their last parts by the one before. */
function namesIn(cell: string): string[] {
  const names: string[] = [];
  for (const [, text = ''] of cell.matchAll(/`([^`]+)`/g)) {
    const parts = text.split('.').length - 1;
    const before = names[0]?.split('.') ?? [];
    names.push(
      text.startsWith('.')
        ? [...before.slice(0, -parts), ...text.split('.').slice(1)].join('.')
        : text,
    );
    // `packets, each also .drop`: behind the name, not instead of its end.
    if (text.startsWith('.')) {
      names.push(...names.filter((each) => !each.includes(text)).map((each) => `${each}${text}`));
    }
  }
  return names;
}
