import { type ItemPlan, pick } from './item_pollster.ts';
import type { NeutronListing } from './neutron.ts';
import { NETWORK_STATUS, statusCode } from './status_code.ts';

/** Firewall as a service in its second version, the only one since OpenStack Stein. */
export const FIREWALL_LISTINGS: readonly NeutronListing[] = [
  ['fw_services', '/fwaas/firewall_groups', 'firewall_groups'],
  ['fw_policy', '/fwaas/firewall_policies', 'firewall_policies'],
  ['fw_rules', '/fwaas/firewall_rules', 'firewall_rules'],
];

const GROUP_FIELDS = [
  'admin_state_up',
  'description',
  'name',
  'status',
  'ingress_firewall_policy_id',
  'egress_firewall_policy_id',
];
const POLICY_FIELDS = ['name', 'description', 'firewall_rules', 'shared', 'audited'];
const RULE_FIELDS = [
  'name',
  'description',
  'action',
  'enabled',
  'protocol',
  'ip_version',
  'source_ip_address',
  'source_port',
  'destination_ip_address',
  'destination_port',
  'shared',
];

export const FIREWALL_PLANS: readonly ItemPlan[] = [
  {
    name: 'neutron.firewall',
    discovery: 'fw_services',
    meters: [{
      name: 'network.services.firewall',
      type: 'gauge',
      unit: 'firewall',
      value: (item) => statusCode(NETWORK_STATUS, item['status']),
      signed: true,
    }],
    metadata: (item) => pick(item, GROUP_FIELDS),
  },
  {
    name: 'neutron.firewall_policy',
    discovery: 'fw_policy',
    meters: [{
      name: 'network.services.firewall.policy',
      type: 'gauge',
      unit: 'firewall_policy',
      value: () => 1,
    }],
    metadata: (item) => pick(item, POLICY_FIELDS),
  },
  {
    name: 'neutron.firewall_rule',
    discovery: 'fw_rules',
    meters: [{
      name: 'network.services.firewall.rule',
      type: 'gauge',
      unit: 'firewall_rule',
      value: () => 1,
    }],
    metadata: (item) => pick(item, RULE_FIELDS),
  },
];
