import assert from 'node:assert/strict';
import test from 'node:test';
import { aodhDiscoveries, aodhPollsters } from '../../collectors/openstack/aodh.ts';
import { designateDiscoveries, designatePollsters } from '../../collectors/openstack/designate.ts';
import { heatDiscoveries, heatPollsters } from '../../collectors/openstack/heat.ts';
import { identityDiscoveries } from '../../collectors/openstack/identity.ts';
import { magnumDiscoveries, magnumPollsters } from '../../collectors/openstack/magnum.ts';
import { manilaDiscoveries, manilaPollsters } from '../../collectors/openstack/manila.ts';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { Unit } from '../../collectors/polling/pollster.ts';
import {
  inShort,
  laidDownSession,
  notedCycle,
  OWN_PROJECT,
  readingsOf,
  recordedAnswers,
  unitsOf,
} from '../support/openstack_answers.ts';

const answers = recordedAnswers('other_services');
const SHARES =
  'shared-file-system /v2/shares/detail?all_tenants=1&sort_key=created_at&sort_dir=asc&limit=1000';

test('a share gives its size and the code of its status', async () => {
  const { session, asked } = laidDownSession({
    [`${SHARES}&offset=0`]: answers['shares'] ?? null,
    [`${SHARES}&offset=1`]: { shares: [] },
  }, { 'shared-file-system': 'http://cloud/v2' });
  const { context, missing } = notedCycle();
  const family = { discoveries: manilaDiscoveries(session), pollsters: manilaPollsters(session) };
  const readings = await readingsOf(family, 'manila.share', context);
  assert.deepEqual(inShort(readings), [
    'manila.share.size gauge 7 GiB',
    'manila.share.status gauge 24 status',
  ]);
  assert.deepEqual(readings[0]?.metadata, {
    name: 'papers',
    availability_zone: 'nova',
    share_type: '6a9ab0c1-0b8f-4c47-a7e2-84ad3a31c001',
    share_network_id: '4c8f0e2a-56b8-4d39-bf57-1de3f7fcc001',
    status: 'shrinking_possible_data_loss_error',
    host: 'store@generic1#GENERIC1',
    is_public: false,
    protocol: 'NFS',
  });
  assert.deepEqual(missing, []);
  assert.equal(asked[0]?.headers['x-openstack-manila-api-version'], '2.9');
});

test('shares are read to the last page, by offset', async () => {
  const share = (index: number) => ({ id: `share${index}`, size: 1, status: 'available' });
  const { session, asked } = laidDownSession({
    [`${SHARES}&offset=0`]: { shares: [share(0), share(1)] },
    [`${SHARES}&offset=2`]: { shares: [share(2)] },
    [`${SHARES}&offset=3`]: { shares: [] },
  }, { 'shared-file-system': 'http://cloud/v2/' });
  const units = await unitsOf(manilaDiscoveries(session), 'manila_shares', notedCycle().context);
  assert.deepEqual(units.map(({ id }) => id), ['share0', 'share1', 'share2']);
  assert.equal(asked.length, 3);
});

test('a zone gives status, time to live and serial; its record sets are counted by one call', async () => {
  const zone = '8f6a9a3c-95d4-4ce4-9f2b-9ee8d7b8c001';
  const { session, asked } = laidDownSession({
    'dns /v2/zones': answers['zones'] ?? null,
    [`dns /v2/zones/${zone}/recordsets?limit=1`]: answers['recordsets'] ?? null,
  });
  const { context, missing } = notedCycle();
  const family = {
    discoveries: designateDiscoveries(session),
    pollsters: designatePollsters(session),
  };
  const readings = [
    ...await readingsOf(family, 'designate.zone', context),
    ...await readingsOf(family, 'designate.recordsets', context),
  ];
  assert.deepEqual(inShort(readings), [
    'dns.zone.status gauge 1 status',
    'dns.zone.ttl gauge 7200 second',
    'dns.zone.serial gauge 1767225600 serial',
    'dns.zone.recordsets gauge 23 recordset',
  ]);
  assert.deepEqual(new Set(readings.map(({ resource_id }) => resource_id)), new Set([zone]));
  assert.deepEqual(missing, []);
  assert.ok(asked.every(({ headers }) => headers['x-auth-all-projects'] === 'true'));
});

test('an alarm gives a reading for each state, told apart by its metadata', async () => {
  const { session } = laidDownSession({
    'alarm /v2/metrics?all_projects=true': answers['metrics'] ?? null,
  });
  const { context } = notedCycle();
  const family = { discoveries: aodhDiscoveries(session), pollsters: aodhPollsters(session) };
  const readings = await readingsOf(family, 'aodh.evaluation', context);
  assert.deepEqual(
    readings.map(({ volume, metadata }) => [volume, metadata['alarm_state']]),
    [['2', 'ok'], ['5', 'alarm'], ['0', 'insufficient data']],
  );
  assert.deepEqual(
    inShort(readings.slice(0, 1)),
    ['alarm.evaluation_result gauge 2 evaluation_result_count'],
  );
});

test('an Aodh that counts no evaluations names no alarm; one too old for it is absent', async () => {
  const { context } = notedCycle();
  const { session } = laidDownSession({ 'alarm /v2/metrics?all_projects=true': {} });
  assert.deepEqual(await unitsOf(aodhDiscoveries(session), 'alarm', context), []);
  const old = aodhDiscoveries(laidDownSession({}).session);
  await assert.rejects(
    unitsOf(old, 'alarm', context),
    (error) => isNephoError(error) && error.code === 'service_absent',
  );
});

test('a cluster gives itself, its nodes and its masters, and none of its labels', async () => {
  const { session } = laidDownSession({
    'container-infrastructure-management /v1/clusters/detail': answers['clusters'] ?? null,
  }, { 'container-infrastructure-management': 'http://cloud/v1' });
  const { context } = notedCycle();
  const family = { discoveries: magnumDiscoveries(session), pollsters: magnumPollsters(session) };
  const readings = await readingsOf(family, 'magnum.cluster', context);
  assert.deepEqual(inShort(readings), [
    'magnum.cluster gauge 1 cluster',
    'magnum.cluster.nodes gauge 3 node',
    'magnum.cluster.masters gauge 1 node',
  ]);
  assert.equal(readings[0]?.user_id, '77f9d1a1b7f94a4c8a5a4d4e55e5c001');
  assert.doesNotMatch(JSON.stringify(readings), /never-to-be-seen/);
});

test('stacks of all projects where that is granted', async () => {
  const { session, asked } = laidDownSession({
    'orchestration /stacks?global_tenant=true': {
      stacks: [{ id: 's1', stack_name: 'web', project: 'theirs' }],
    },
  });
  const { context } = notedCycle();
  const family = { discoveries: heatDiscoveries(session), pollsters: heatPollsters(session) };
  const readings = await readingsOf(family, 'heat.stack', context);
  assert.deepEqual(inShort(readings), ['stack gauge 1 stack']);
  assert.equal(readings[0]?.project_id, 'theirs');
  assert.equal(asked.length, 1);
});

test('where it is not, those of the own project are found before the refusal is told', async () => {
  const { session } = laidDownSession({
    'orchestration /stacks?global_tenant=true': new NephoError('forbidden', 'Not allowed'),
    'orchestration /stacks': { stacks: [{ id: 's1', stack_name: 'web' }] },
  });
  const { context } = notedCycle();
  const found: Unit[] = [];
  await assert.rejects(
    async () => {
      for (const discovery of heatDiscoveries(session)) {
        for await (const page of discovery.discover(context, '')) found.push(...page);
      }
    },
    (error) => isNephoError(error) && error.code === 'forbidden',
  );
  assert.deepEqual(found.map(({ id }) => id), ['s1']);
  const contented = await unitsOf(heatDiscoveries(session), 'stacks:project', context);
  assert.deepEqual(contented, found);
  const reading = (await heatPollsters(session)[0]?.poll(contented[0] ?? fail(), context))?.[0];
  assert.equal(reading?.project_id, OWN_PROJECT);
});

test('tenant finds all projects, tenant:enabled those that are not disabled', async () => {
  const projects = [{ id: 'a', enabled: true }, { id: 'b', enabled: false }, { id: 'c' }];
  const { session } = laidDownSession({ 'identity /v3/projects': { projects } });
  const { context } = notedCycle();
  const discoveries = identityDiscoveries(session);
  const ids = async (name: string) =>
    (await unitsOf(discoveries, name, context)).map(({ id }) => id);
  assert.deepEqual(await ids('tenant'), ['a', 'b', 'c']);
  assert.deepEqual(await ids('tenant:enabled'), ['a', 'c']);
});

function fail(): never {
  throw new TypeError('no unit');
}

test('endpoint:<type> finds where the catalogue has a service; without a type it is told', async () => {
  const { session } = laidDownSession({}, { image: 'http://cloud/image' });
  const discoveries = identityDiscoveries(session);
  const { context } = notedCycle();
  assert.deepEqual(await unitsOf(discoveries, 'endpoint:image', context), [
    { id: 'http://cloud/image', data: { serviceType: 'image', url: 'http://cloud/image' } },
  ]);
  await assert.rejects(unitsOf(discoveries, 'endpoint', context), /'endpoint:image'/);
});

test('a static resource of a source is a project if it looks like one', () => {
  const { session } = laidDownSession({});
  const tenant = identityDiscoveries(session).find(({ name }) => name === 'tenant');
  assert.deepEqual(tenant?.resource?.('0123456789abcdef0123456789abcdef'), {
    id: '0123456789abcdef0123456789abcdef',
    data: null,
  });
  assert.equal(tenant?.resource?.('snmp://switch'), null);
});
