import assert from 'node:assert/strict';
import test from 'node:test';
import { octaviaDiscoveries, octaviaPollsters } from '../../collectors/openstack/octavia.ts';
import {
  inShort,
  laidDownSession,
  notedCycle,
  READ_AT,
  readingsOf,
  recordedAnswers,
} from '../support/openstack_answers.ts';

const answers = recordedAnswers('load_balancer');
const LOAD_BALANCER = '6f0c1b52-9d5e-4c39-8a6f-2f8a70d7a001';
const POOL = 'c2f8bb7e-4b6a-4bb9-9fd0-6d3c1a7fa001';

async function poll(name: string) {
  const at = 'load-balancer /v2.0/lbaas';
  const { session, asked } = laidDownSession({
    [`${at}/loadbalancers`]: answers['loadbalancers'] ?? null,
    [`${at}/listeners`]: answers['listeners'] ?? null,
    [`${at}/pools`]: answers['pools'] ?? null,
    [`${at}/pools/${POOL}/members`]: answers['members'] ?? null,
    [`${at}/healthmonitors`]: answers['healthmonitors'] ?? null,
    [`${at}/loadbalancers/${LOAD_BALANCER}/stats`]: answers['stats'] ?? null,
  }, { 'load-balancer': 'http://cloud/' });
  const cycle = notedCycle();
  const family = {
    discoveries: octaviaDiscoveries(session),
    pollsters: octaviaPollsters(session),
  };
  const readings = await readingsOf(family, name, cycle.context);
  assert.deepEqual(cycle.missing, []);
  return { readings, asked };
}

test('a load balancer gives its operating and its provisioning status as codes', async () => {
  const { readings } = await poll('octavia.load_balancer');
  assert.deepEqual(readings[0], {
    meter: 'loadbalancer.operating',
    type: 'gauge',
    unit: 'status',
    volume: '4',
    resource_id: LOAD_BALANCER,
    project_id: '1c9e8f00aa5146d5b0c4f0c9d1f3a001',
    user_id: null,
    timestamp: READ_AT,
    metadata: {
      name: 'shop',
      availability_zone: null,
      vip_address: '203.0.113.7',
      vip_port_id: '8e3b1c9e-3f59-46a0-8e7c-64fb9b2aa001',
      provisioning_status: 'PENDING_UPDATE',
      operating_status: 'DEGRADED',
      provider: 'amphora',
      flavor_id: '',
    },
  });
  assert.deepEqual(inShort(readings.slice(1)), ['loadbalancer.provisioning gauge 5 status']);
  assert.equal(readings[0]?.metadata, readings[1]?.metadata);
});

test('the older meters number the status as their days did', async () => {
  const old = await poll('octavia.old_load_balancer');
  assert.deepEqual(inShort(old.readings), [
    'network.services.lb.loadbalancer gauge 5 loadbalancer',
  ]);
  const listener = await poll('octavia.listener');
  assert.deepEqual(inShort(listener.readings), ['network.services.lb.listener gauge 1 listener']);
  assert.equal(listener.readings[0]?.metadata['protocol_port'], 443);
  const pool = await poll('octavia.pool');
  assert.deepEqual(inShort(pool.readings), ['network.services.lb.pool gauge 1 pool']);
  assert.equal(pool.readings[0]?.metadata['lb_method'], 'ROUND_ROBIN');
  assert.equal(pool.readings[0]?.metadata['status'], 'ONLINE');
  const monitor = await poll('octavia.health_monitor');
  assert.deepEqual(inShort(monitor.readings), [
    'network.services.lb.health_monitor gauge 1 health_monitor',
  ]);
});

test('the members of a pool are read by one call, each under its own id', async () => {
  const { readings, asked } = await poll('octavia.member');
  assert.deepEqual(inShort(readings), [
    'network.services.lb.member gauge 3 member',
    'network.services.lb.member gauge -1 member',
  ]);
  assert.deepEqual(
    readings.map(({ resource_id }) => resource_id),
    ['a01be3cd-92a6-4f0f-8db1-3fbc2b5ea001', 'a01be3cd-92a6-4f0f-8db1-3fbc2b5ea002'],
  );
  assert.equal(readings[1]?.metadata['pool_id'], POOL);
  assert.equal(readings[1]?.metadata['status'], 'DRAINING');
  assert.equal(asked.length, 2);
});

test('statistics of a load balancer are exact beyond 2^53', async () => {
  const { readings } = await poll('octavia.statistics');
  assert.deepEqual(inShort(readings), [
    'network.services.lb.total.connections cumulative 52378345 connection',
    'network.services.lb.active.connections gauge 97258 connection',
    'network.services.lb.incoming.bytes gauge 9007199254740993 B',
    'network.services.lb.outgoing.bytes gauge 1549542372 B',
  ]);
  assert.deepEqual(
    new Set(readings.map(({ resource_id }) => resource_id)),
    new Set([LOAD_BALANCER]),
  );
  assert.equal(readings[0]?.project_id, '1c9e8f00aa5146d5b0c4f0c9d1f3a001');
});
