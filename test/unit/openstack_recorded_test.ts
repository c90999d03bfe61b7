/** What a small real cloud (Cinder 21, Neutron 21, Heat 19, Swift 2.30) answered, and its samples. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { cinderDiscoveries, cinderPollsters } from '../../collectors/openstack/cinder.ts';
import { heatDiscoveries, heatPollsters } from '../../collectors/openstack/heat.ts';
import { neutronDiscoveries, neutronPollsters } from '../../collectors/openstack/neutron.ts';
import { swiftPollsters } from '../../collectors/openstack/swift.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import {
  inShort,
  laidDownSession,
  notedCycle,
  OWN_PROJECT,
  READ_AT,
  readingsOf,
  recordedAnswers,
} from '../support/openstack_answers.ts';

const PROJECT = '92a289e3bba94ad5a5a939d2cb5d8ed4';
const USER = 'f80ed2aa52164bc3931f3b60d135dfac';
const recorded = recordedAnswers('little_cloud');
const at = (key: string): JsonValue => recorded[key] ?? null;
const { session, asked } = laidDownSession({
  'block-storage /volumes/detail?all_tenants=1': at('volumes'),
  'block-storage /snapshots/detail?all_tenants=1': at('snapshots'),
  'block-storage /scheduler-stats/get_pools?detail=true': at('pools'),
  'block-storage /os-services': at('services'),
  'network /v2.0/networks': at('networks'),
  'network /v2.0/subnets': at('subnets'),
  'network /v2.0/ports': at('ports'),
  'network /v2.0/routers': at('routers'),
  'network /v2.0/floatingips': at('floatingips'),
  'orchestration /stacks?global_tenant=true': at('stacks'),
  [`object-store /v1/AUTH_${PROJECT}`]: at('account'),
  [`object-store /v1/AUTH_${PROJECT}?format=json`]: at('containers'),
}, { 'object-store': `http://cloud/v1/AUTH_${OWN_PROJECT}` });
const family = {
  discoveries: [
    ...cinderDiscoveries(session),
    ...neutronDiscoveries(session),
    ...heatDiscoveries(session),
  ],
  pollsters: [
    ...cinderPollsters(session),
    ...neutronPollsters(session),
    ...heatPollsters(session),
  ],
};

test('a volume: every field of its sample', async () => {
  const readings = await readingsOf(family, 'cinder.volume', notedCycle().context);
  assert.deepEqual(inShort(readings), ['volume gauge 1 volume', 'volume.size gauge 3 GiB']);
  assert.deepEqual(readings[1], {
    meter: 'volume.size',
    type: 'gauge',
    unit: 'GiB',
    volume: '3',
    resource_id: '155c2c5e-45dc-4d4e-ad04-d76b45ad3d71',
    project_id: PROJECT,
    user_id: USER,
    timestamp: READ_AT,
    metadata: {
      name: 'vol-1795348444952254633',
      status: 'error_extending',
      volume_type: '__DEFAULT__',
      volume_type_id: '51c5762b-c823-45c8-9412-63305407a616',
      availability_zone: 'nova',
      'os-vol-host-attr:host': 'vm@fake#fake',
      migration_status: null,
      attachments: [],
      snapshot_id: null,
      source_volid: null,
      image_id: null,
      instance_id: null,
    },
  });
  assert.equal(readings[0]?.metadata, readings[1]?.metadata);
  assert.equal(asked[0]?.headers['openstack-api-version'], 'volume 3.64');
});

test('a volume that is attached and made from an image names both', () => {
  const volumes = recorded['volumes'];
  const first = isJsonObject(volumes) && Array.isArray(volumes['volumes']) && volumes['volumes'][0];
  assert.ok(isJsonObject(first));
  const item: JsonObject = {
    ...first,
    attachments: [{ server_id: 'vm-1', device: '/dev/vda' }, { server_id: 'vm-2' }],
    volume_image_metadata: { image_id: 'image-1', min_ram: '0' },
  };
  const data = { item, readAt: READ_AT };
  const readings = cinderPollsters(session)[0]?.poll({ id: 'v', data }, notedCycle().context);
  assert.ok(Array.isArray(readings));
  assert.equal(readings[0].metadata.instance_id, 'vm-1');
  assert.equal(readings[0].metadata.image_id, 'image-1');
});

test('a snapshot: its size under both names', async () => {
  const readings = await readingsOf(family, 'cinder.snapshot', notedCycle().context);
  assert.deepEqual(inShort(readings), [
    'snapshot gauge 1 snapshot',
    'snapshot.size gauge 3 GiB',
    'volume.snapshot.size gauge 3 GiB',
  ]);
  assert.deepEqual([readings[0]?.project_id, readings[0]?.user_id], [PROJECT, USER]);
  assert.deepEqual(readings[0]?.metadata, {
    name: 'snap-1795348444952254633',
    volume_id: '155c2c5e-45dc-4d4e-ad04-d76b45ad3d71',
    status: 'available',
    description: null,
    metadata: {},
    'os-extended-snapshot-attributes:progress': '100%',
  });
});

test('a backup names its project from 3.18 on, its user from 3.56 on', () => {
  const item: JsonObject = {
    id: 'b1',
    name: 'weekly',
    size: 3,
    object_count: 22,
    container: 'volumebackups',
    volume_id: 'v1',
    status: 'available',
    description: null,
    is_incremental: true,
    'os-backup-project-attr:project_id': PROJECT,
    user_id: USER,
  };
  const pollster = family.pollsters.find(({ name }) => name === 'cinder.backup');
  const data = { item, readAt: READ_AT };
  const readings = pollster?.poll({ id: 'b1', data }, notedCycle().context);
  assert.deepEqual(readings, [{
    meter: 'volume.backup.size',
    type: 'gauge',
    unit: 'GiB',
    volume: '3',
    resource_id: 'b1',
    project_id: PROJECT,
    user_id: USER,
    timestamp: READ_AT,
    metadata: {
      name: 'weekly',
      is_incremental: true,
      object_count: 22,
      container: 'volumebackups',
      volume_id: 'v1',
      status: 'available',
      description: null,
    },
  }]);
});

test('a pool of infinite capacity: what is a number is read, the rest is missing', async () => {
  const { context, missing } = notedCycle();
  const readings = await readingsOf(family, 'cinder.pool', context);
  assert.deepEqual(inShort(readings), [
    'volume.provider.pool.capacity.allocated gauge 3 GiB',
    'volume.provider.pool.capacity.provisioned gauge 0 GiB',
  ]);
  assert.equal(readings[0]?.resource_id, 'vm@fake#fake');
  assert.deepEqual(readings[0]?.metadata, { pool_name: 'fake', provider: 'vm@fake' });
  assert.deepEqual(missing.map(({ meter, reason }) => [meter.slice(30), reason]), [
    ['total', 'value_invalid'],
    ['free', 'value_invalid'],
    ['virtual_free', 'value_invalid'],
  ]);
});

test('the services of Cinder, each by its binary and host', async () => {
  const readings = await readingsOf(family, 'cinder.service', notedCycle().context);
  assert.deepEqual(
    readings.map((
      { resource_id, volume, unit, metadata },
    ) => [resource_id, volume, unit, metadata]),
    [
      ['cinder-volume@vm@fake', '1', 'health', {
        binary: 'cinder-volume',
        host: 'vm@fake',
        status: 'enabled',
        zone: 'nova',
      }],
      ['cinder-scheduler@vm', '1', 'health', {
        binary: 'cinder-scheduler',
        host: 'vm',
        status: 'enabled',
        zone: 'nova',
      }],
    ],
  );
});

test('networks, subnets, ports, routers and floating IPs are there', async () => {
  const lines: unknown[] = [];
  for (const thing of ['network', 'subnet', 'port', 'router', 'floating_ip']) {
    const { context, missing } = notedCycle();
    const readings = await readingsOf(family, `neutron.${thing}`, context);
    assert.deepEqual(missing, []);
    lines.push([...inShort(readings), readings[0]?.project_id === PROJECT]);
    assert.ok(Object.values(readings[0]?.metadata ?? {}).some((value) => value !== null));
  }
  assert.deepEqual(lines, [
    ['network gauge 1 network', true],
    ['subnet gauge 1 subnet', true],
    ['port gauge 1 port', true],
    ['router gauge 1 router', true],
    ['ip.floating gauge 3 ip', true],
  ]);
});

test('a stack', async () => {
  const readings = await readingsOf(family, 'heat.stack', notedCycle().context);
  assert.deepEqual(inShort(readings), ['stack gauge 1 stack']);
  assert.deepEqual([readings[0]?.project_id, readings[0]?.user_id], [PROJECT, null]);
  assert.equal(readings[0]?.metadata['stack_status'], 'UPDATE_COMPLETE');
});

test('an account of Swift and its container', async () => {
  const lines: string[] = [];
  for (const pollster of swiftPollsters(session)) {
    const readings = await pollster.poll({ id: PROJECT, data: null }, notedCycle().context);
    lines.push(...inShort(readings));
  }
  assert.deepEqual(lines, [
    'storage.objects gauge 1 object',
    'storage.objects.size gauge 200000 B',
    'storage.objects.containers gauge 1 container',
    'storage.containers.objects gauge 1 object',
    'storage.containers.objects.size gauge 200000 B',
  ]);
});
