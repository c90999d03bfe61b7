/** What the answers of a cloud's services call for, written from their API references alone. */
import assert from 'node:assert/strict';
import type { Reading } from '../../meters/sample.ts';
import type { Raw, RawValue } from './little_cloud.ts';

/** Meter, resource, volume, project and user of a sample that the API's answer calls for. */
export type Expected = readonly [
  meter: string,
  resource: RawValue | undefined,
  volume: RawValue | undefined,
  project: RawValue | undefined,
  user?: RawValue | undefined,
];

export interface Comparison {
  serviceType: string;
  path: string;
  headers?: Record<string, string>;
  entriesKey: string;
  pollster: string;
  /** What the entry calls for; what is no number in it must be missing, and is null here. */
  expected: (item: Raw) => readonly Expected[];
  /** Without what changes by itself. */
  steady?: (item: Raw) => Raw;
}

const NOVA = { 'openstack-api-version': 'compute 2.48' };
const CINDER = { 'openstack-api-version': 'volume 3.64' };
const STATUS: Readonly<Record<string, number>> = { ACTIVE: 1, DOWN: 3, ERROR: 7 };

const neutron = (
  plural: string,
  pollster: string,
  expected: Comparison['expected'],
): Comparison => ({
  serviceType: 'network',
  path: `/v2.0/${plural}`,
  entriesKey: plural,
  pollster,
  expected,
});

export const COMPARISONS: readonly Comparison[] = [
  {
    serviceType: 'compute',
    path: '/servers/detail?all_tenants=1',
    headers: NOVA,
    entriesKey: 'servers',
    pollster: 'nova.servers',
    expected: (item) => {
      const { id, tenant_id: project, user_id: user } = item;
      const flavor = rawObject(item['flavor']);
      return [
        ['instance', id, 1, project, user],
        [`instance:${rawText(flavor['original_name'])}`, id, 1, project, user],
        ['memory', id, flavor['ram'], project, user],
        ['vcpus', id, flavor['vcpus'], project, user],
        ['disk.root.size', id, flavor['disk'], project, user],
        ['disk.ephemeral.size', id, flavor['ephemeral'], project, user],
        ['power.state', id, item['OS-EXT-STS:power_state'], project, user],
      ];
    },
  },
  {
    serviceType: 'image',
    path: '/v2/images?limit=1000',
    entriesKey: 'images',
    pollster: 'glance.image',
    expected: ({ id, size, owner }) => [
      ['image', id, 1, owner],
      ...(size === null ? [] : [['image.size', id, size, owner] as const]),
    ],
  },
  {
    serviceType: 'volumev3',
    path: '/volumes/detail?all_tenants=1',
    headers: CINDER,
    entriesKey: 'volumes',
    pollster: 'cinder.volume',
    expected: (item) => {
      const [project, user] = [item['os-vol-tenant-attr:tenant_id'], item['user_id']];
      return [
        ['volume', item['id'], 1, project, user],
        ['volume.size', item['id'], item['size'], project, user],
      ];
    },
  },
  {
    serviceType: 'volumev3',
    path: '/snapshots/detail?all_tenants=1',
    headers: CINDER,
    entriesKey: 'snapshots',
    pollster: 'cinder.snapshot',
    expected: (item) => {
      const [project, user] = [
        item['os-extended-snapshot-attributes:project_id'],
        item['user_id'],
      ];
      return [
        ['snapshot', item['id'], 1, project, user],
        ['snapshot.size', item['id'], item['size'], project, user],
        ['volume.snapshot.size', item['id'], item['size'], project, user],
      ];
    },
  },
  {
    serviceType: 'volumev3',
    path: '/backups/detail?all_tenants=1',
    headers: CINDER,
    entriesKey: 'backups',
    pollster: 'cinder.backup',
    expected: (item) => [
      [
        'volume.backup.size',
        item['id'],
        item['size'],
        item['os-backup-project-attr:project_id'],
        item['user_id'],
      ],
    ],
  },
  {
    serviceType: 'volumev3',
    path: '/scheduler-stats/get_pools?detail=true',
    headers: CINDER,
    entriesKey: 'pools',
    pollster: 'cinder.pool',
    steady: ({ name, capabilities }) => ({
      name: name ?? null,
      capabilities: { ...rawObject(capabilities), timestamp: null },
    }),
    expected: ({ name, capabilities }) => {
      const pool = rawObject(capabilities);
      const number = (value: RawValue | undefined) => typeof value === 'number' ? value : null;
      const virtual: Expected[] = number(pool['total_capacity_gb']) === null
        ? [['volume.provider.pool.capacity.virtual_free', name, null, null]]
        : [];
      return (['total', 'free', 'allocated', 'provisioned'] as const)
        .filter((kind) => pool[`${kind}_capacity_gb`] !== undefined)
        .map((kind): Expected => [
          `volume.provider.pool.capacity.${kind}`,
          name,
          number(pool[`${kind}_capacity_gb`]),
          null,
        ])
        .concat(virtual);
    },
  },
  {
    serviceType: 'volumev3',
    path: '/os-services',
    headers: CINDER,
    entriesKey: 'services',
    pollster: 'cinder.service',
    steady: (item) => ({ ...item, updated_at: null }),
    expected: ({ binary, host, state }) => [
      [
        'volume.service.health',
        `${rawText(binary)}@${rawText(host)}`,
        state === 'up' ? 1 : 0,
        null,
      ],
    ],
  },
  neutron(
    'networks',
    'neutron.network',
    ({ id, project_id }) => [['network', id, 1, project_id]],
  ),
  neutron('subnets', 'neutron.subnet', ({ id, project_id }) => [['subnet', id, 1, project_id]]),
  neutron('ports', 'neutron.port', ({ id, project_id }) => [['port', id, 1, project_id]]),
  neutron('routers', 'neutron.router', ({ id, project_id }) => [['router', id, 1, project_id]]),
  neutron('floatingips', 'neutron.floating_ip', ({ id, status, project_id }) => [
    ['ip.floating', id, STATUS[rawText(status)] ?? -1, project_id],
  ]),
  {
    serviceType: 'network',
    path: '/v2.0/metering/metering-labels',
    entriesKey: 'metering_labels',
    pollster: 'neutron.metering_label',
    expected: ({ id, project_id }) => [['network.metering.label', id, 1, project_id]],
  },
];

/** A sample of exactly this, or a note that it is missing where the API has no number. */
export function compare(
  readings: readonly Reading[],
  missing: readonly { unit: string; meter: string }[],
  [meter, resource, volume, project, user = null]: Expected,
): void {
  const samples = readings.filter((each) => each.meter === meter && each.resource_id === resource);
  if (volume === null || volume === undefined) {
    assert.deepEqual(samples, []);
    assert.ok(missing.some((each) => each.meter === meter && each.unit === resource), meter);
    return;
  }
  assert.deepEqual(
    samples.map((each) => [each.volume, each.project_id, each.user_id]),
    // What belongs to no project, as a router's own port, has an empty name in Neutron.
    [[rawText(volume), project === '' ? null : project, user]],
    `${meter} of ${rawText(resource)}`,
  );
}

export function rawList(value: RawValue | undefined): Raw[] {
  assert.ok(Array.isArray(value));
  return value.map(rawObject);
}

export function rawObject(value: RawValue | undefined): Raw {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value));
  return value;
}

/** A number or a word as JSON has it; a fault for anything else. */
export function rawText(value: RawValue | undefined): string {
  assert.ok(typeof value === 'string' || typeof value === 'number');
  return String(value);
}

/** Each counter of an answer of `GET /servers/{id}/diagnostics`, as `meter device volume`, sorted. */
export function countersOf(id: string, diagnostics: Raw): string[] {
  const disks = rawList(diagnostics['disk_details']);
  const lines = [`cpu ${id} ${sum(rawList(diagnostics['cpu_details']), 'time')}`];
  for (const way of ['read', 'write']) {
    for (const what of ['bytes', 'requests']) {
      lines.push(`disk.${way}.${what} ${id} ${sum(disks, `${way}_${what}`)}`);
      for (const disk of disks) {
        lines.push(`disk.device.${way}.${what} * ${rawText(disk[`${way}_${what}`])}`);
      }
    }
  }
  for (const nic of rawList(diagnostics['nic_details'])) {
    for (const [way, side] of [['incoming', 'rx'], ['outgoing', 'tx']]) {
      lines.push(`network.${way}.bytes * ${rawText(nic[`${side}_octets`])}`);
      lines.push(`network.${way}.packets * ${rawText(nic[`${side}_packets`])}`);
      lines.push(`network.${way}.packets.drop * ${rawText(nic[`${side}_drop`])}`);
      lines.push(`network.${way}.packets.error * ${rawText(nic[`${side}_errors`])}`);
      const rate = nic[`${side}_rate`];
      if (rate !== null) lines.push(`network.${way}.bytes.rate * ${rawText(rate)}`);
    }
  }
  return lines.sort();
}

/** The same of samples; what Nova has no agreed unit for, the memory in use, is left out. */
export function countersIn(readings: readonly Reading[]): string[] {
  return readings.filter(({ meter }) => meter !== 'memory.usage')
    .map(({ meter, resource_id, volume }) => {
      const isDevice = meter.startsWith('disk.device.') || meter.startsWith('network.');
      return `${meter} ${isDevice ? '*' : resource_id} ${volume}`;
    }).sort();
}

function sum(items: readonly Raw[], field: string): number {
  return items.reduce((total, item) => total + Number(rawText(item[field])), 0);
}
