import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { aodhDiscoveries, aodhPollsters } from '../../collectors/openstack/aodh.ts';
import { cinderDiscoveries, cinderPollsters } from '../../collectors/openstack/cinder.ts';
import { designateDiscoveries, designatePollsters } from '../../collectors/openstack/designate.ts';
import { heatDiscoveries, heatPollsters } from '../../collectors/openstack/heat.ts';
import { identityDiscoveries } from '../../collectors/openstack/identity.ts';
import { magnumDiscoveries, magnumPollsters } from '../../collectors/openstack/magnum.ts';
import { manilaDiscoveries, manilaPollsters } from '../../collectors/openstack/manila.ts';
import { neutronDiscoveries, neutronPollsters } from '../../collectors/openstack/neutron.ts';
import { octaviaDiscoveries, octaviaPollsters } from '../../collectors/openstack/octavia.ts';
import {
  LBAAS_V2_STATUS,
  NETWORK_STATUS,
  OPERATING_STATUS,
  PROVISIONING_STATUS,
  SHARE_STATUS,
  ZONE_STATUS,
} from '../../collectors/openstack/status_code.ts';
import { swiftPollsters } from '../../collectors/openstack/swift.ts';
import { laidDownSession } from '../support/openstack_answers.ts';

const { session } = laidDownSession({});
const pollsters = [
  cinderPollsters,
  neutronPollsters,
  octaviaPollsters,
  swiftPollsters,
  heatPollsters,
  magnumPollsters,
  manilaPollsters,
  designatePollsters,
  aodhPollsters,
].flatMap((make) => make(session));
const discoveries = [
  cinderDiscoveries,
  neutronDiscoveries,
  octaviaDiscoveries,
  heatDiscoveries,
  identityDiscoveries,
  magnumDiscoveries,
  manilaDiscoveries,
  designateDiscoveries,
  aodhDiscoveries,
].flatMap((make) => make(session));
const page = readFileSync(
  new URL('../../docs/collectors/openstack_services.md', import.meta.url),
  'utf8',
);
const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('the page has every meter with its type, unit and pollster, and no other', () => {
  const written = rows.filter(([, , type]) => type === 'gauge' || type === 'cumulative')
    .map(([, meter, type, unit, value]) =>
      [meter?.replaceAll('`', ''), type, unit, value?.split(/[,;]/)[0]].join(' ')
    );
  const declared = pollsters.flatMap(({ name, meters }) =>
    meters.map((meter) => `${meter.name} ${meter.type} ${meter.unit} ${name}`)
  );
  assert.deepEqual(written.sort(), declared.sort());
});

test('the page has every discovery, and each pollster has one of them', () => {
  const names = new Set(discoveries.map(({ name }) => name));
  const cells = rows.map(([, first = '']) => first).join(' ');
  for (const name of names) assert.match(cells, new RegExp(`\`${name}[\`:]`), name);
  for (const { discovery } of pollsters) assert.ok(names.has(discovery), discovery);
});

test('the page has every code', () => {
  const text = page.replaceAll(/\s+/g, ' ');
  const tables = [
    NETWORK_STATUS,
    OPERATING_STATUS,
    PROVISIONING_STATUS,
    LBAAS_V2_STATUS,
    ZONE_STATUS,
    SHARE_STATUS,
  ];
  for (const [word, code] of tables.flatMap(Object.entries)) {
    assert.match(text, new RegExp(`\`${word}\` ${code}[,.]`, 'i'));
  }
});
