import assert from 'node:assert/strict';
import test from 'node:test';
import { neutronDiscoveries, neutronPollsters } from '../../collectors/openstack/neutron.ts';
import type { JsonObject } from '../../meters/json.ts';
import {
  inShort,
  laidDownSession,
  notedCycle,
  readingsOf,
  recordedAnswers,
} from '../support/openstack_answers.ts';

const answers = recordedAnswers('network_services');

async function poll(name: string, path: string, answer: JsonObject | string) {
  const { session } = laidDownSession({
    [`network /v2.0${path}`]: typeof answer === 'string' ? answers[answer] ?? null : answer,
  });
  const cycle = notedCycle();
  const family = { discoveries: neutronDiscoveries(session), pollsters: neutronPollsters(session) };
  return { readings: await readingsOf(family, name, cycle.context), missing: cycle.missing };
}

test('VPN services, connections and policies', async () => {
  const lines = [];
  for (
    const [name, path, key] of [
      ['neutron.vpn_service', '/vpn/vpnservices', 'vpnservices'],
      ['neutron.ipsec_connection', '/vpn/ipsec-site-connections', 'ipsec_site_connections'],
      ['neutron.ike_policy', '/vpn/ikepolicies', 'ikepolicies'],
      ['neutron.ipsec_policy', '/vpn/ipsecpolicies', 'ipsecpolicies'],
    ] as const
  ) {
    const { readings } = await poll(name, path, key);
    lines.push(...inShort(readings));
    assert.equal(readings[0]?.project_id, '1c9e8f00aa5146d5b0c4f0c9d1f3b001');
  }
  assert.deepEqual(lines, [
    'network.services.vpn gauge 2 vpnservice',
    'network.services.vpn.connections gauge 1 ipsec_site_connection',
    'network.services.vpn.ikepolicy gauge 1 ikepolicy',
    'network.services.vpn.ipsecpolicy gauge 1 ipsecpolicy',
  ]);
});

test('the shared key of a VPN connection is in no reading', async () => {
  const { readings } = await poll(
    'neutron.ipsec_connection',
    '/vpn/ipsec-site-connections',
    'ipsec_site_connections',
  );
  assert.equal(readings[0]?.metadata['peer_address'], '198.51.100.5');
  assert.doesNotMatch(JSON.stringify(readings), /psk|never-to-be-seen/);
});

test('firewall groups, policies and rules', async () => {
  const group = await poll('neutron.firewall', '/fwaas/firewall_groups', 'firewall_groups');
  const policy = await poll(
    'neutron.firewall_policy',
    '/fwaas/firewall_policies',
    'firewall_policies',
  );
  const rule = await poll('neutron.firewall_rule', '/fwaas/firewall_rules', 'firewall_rules');
  assert.deepEqual(inShort([...group.readings, ...policy.readings, ...rule.readings]), [
    'network.services.firewall gauge 0 firewall',
    'network.services.firewall.policy gauge 1 firewall_policy',
    'network.services.firewall.rule gauge 1 firewall_rule',
  ]);
  assert.deepEqual(policy.readings[0]?.metadata, {
    name: 'web only',
    description: '',
    firewall_rules: ['1d4bb8f5-0f05-4dd8-a9f9-24ddcb6bb001'],
    shared: false,
    audited: false,
  });
});

test('metering labels', async () => {
  const { readings } = await poll(
    'neutron.metering_label',
    '/metering/metering-labels',
    'metering_labels',
  );
  assert.deepEqual(inShort(readings), ['network.metering.label gauge 1 label']);
});

test('a floating IP gives the code of its status; one without a status is missing', async () => {
  const floatingips = ['ACTIVE', 'DOWN', 'ERROR', 'NEW_ONE', null].map((status, index) => ({
    id: `ip${index}`,
    status,
    floating_ip_address: `203.0.113.${index}`,
    tenant_id: 'of before 2017',
  }));
  const { readings, missing } = await poll('neutron.floating_ip', '/floatingips', { floatingips });
  assert.deepEqual(inShort(readings), [
    'ip.floating gauge 1 ip',
    'ip.floating gauge 3 ip',
    'ip.floating gauge 7 ip',
    'ip.floating gauge -1 ip',
  ]);
  assert.deepEqual(missing.map(({ unit, meter, reason }) => [unit, meter, reason]), [
    ['ip4', 'ip.floating', 'value_invalid'],
  ]);
  assert.equal(readings[0]?.project_id, 'of before 2017');
  assert.deepEqual(readings[0]?.metadata, {
    router_id: null,
    status: 'ACTIVE',
    floating_network_id: null,
    fixed_ip_address: null,
    port_id: null,
    floating_ip_address: '203.0.113.0',
  });
});
