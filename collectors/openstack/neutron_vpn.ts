import { type ItemPlan, pick } from './item_pollster.ts';
import type { NeutronListing } from './neutron.ts';
import { NETWORK_STATUS, statusCode } from './status_code.ts';

/** VPN as a service; not every cloud has it. */
export const VPN_LISTINGS: readonly NeutronListing[] = [
  ['vpn_services', '/vpn/vpnservices', 'vpnservices'],
  ['ipsec_connections', '/vpn/ipsec-site-connections', 'ipsec_site_connections'],
  ['vpn_ikepolicies', '/vpn/ikepolicies', 'ikepolicies'],
  ['vpn_ipsecpolicies', '/vpn/ipsecpolicies', 'ipsecpolicies'],
];

const SERVICE_FIELDS = [
  'admin_state_up',
  'description',
  'name',
  'status',
  'subnet_id',
  'router_id',
];
/** Ceilometer's, but for `psk`: the shared key of the tunnel has no place in a log that others read. */
const CONNECTION_FIELDS = [
  'name',
  'description',
  'peer_address',
  'peer_id',
  'peer_cidrs',
  'initiator',
  'ikepolicy_id',
  'dpd',
  'ipsecpolicy_id',
  'vpnservice_id',
  'mtu',
  'admin_state_up',
  'status',
  'tenant_id',
];
const IKE_POLICY_FIELDS = [
  'name',
  'description',
  'auth_algorithm',
  'encryption_algorithm',
  'pfs',
  'phase1_negotiation_mode',
  'lifetime',
  'ike_version',
];
const IPSEC_POLICY_FIELDS = [
  'name',
  'description',
  'auth_algorithm',
  'encryption_algorithm',
  'pfs',
  'encapsulation_mode',
  'transform_protocol',
  'lifetime',
];

export const VPN_PLANS: readonly ItemPlan[] = [
  {
    name: 'neutron.vpn_service',
    discovery: 'vpn_services',
    meters: [{
      name: 'network.services.vpn',
      type: 'gauge',
      unit: 'vpnservice',
      value: (item) => statusCode(NETWORK_STATUS, item['status']),
      signed: true,
    }],
    metadata: (item) => pick(item, SERVICE_FIELDS),
  },
  {
    name: 'neutron.ipsec_connection',
    discovery: 'ipsec_connections',
    meters: [{
      name: 'network.services.vpn.connections',
      type: 'gauge',
      unit: 'ipsec_site_connection',
      value: () => 1,
    }],
    metadata: (item) => pick(item, CONNECTION_FIELDS),
  },
  {
    name: 'neutron.ike_policy',
    discovery: 'vpn_ikepolicies',
    meters: [{
      name: 'network.services.vpn.ikepolicy',
      type: 'gauge',
      unit: 'ikepolicy',
      value: () => 1,
    }],
    metadata: (item) => pick(item, IKE_POLICY_FIELDS),
  },
  {
    name: 'neutron.ipsec_policy',
    discovery: 'vpn_ipsecpolicies',
    meters: [{
      name: 'network.services.vpn.ipsecpolicy',
      type: 'gauge',
      unit: 'ipsecpolicy',
      value: () => 1,
    }],
    metadata: (item) => pick(item, IPSEC_POLICY_FIELDS),
  },
];
