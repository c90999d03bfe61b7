import type { Discovery, Pollster } from '../polling/pollster.ts';
import { FIREWALL_LISTINGS, FIREWALL_PLANS } from './neutron_firewall.ts';
import { VPN_LISTINGS, VPN_PLANS } from './neutron_vpn.ts';
import { type ItemPlan, itemPollster, pick } from './item_pollster.ts';
import { listingDiscovery, markerPaging, versioned } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';
import { NETWORK_STATUS, statusCode } from './status_code.ts';

/** Discovery, path behind `/v2.0`, key of the entries. Neutron shows an administrator all projects'. */
export type NeutronListing = readonly [name: string, path: string, entriesKey: string];

const LISTINGS: readonly NeutronListing[] = [
  ['networks', '/networks', 'networks'],
  ['subnets', '/subnets', 'subnets'],
  ['ports', '/ports', 'ports'],
  ['routers', '/routers', 'routers'],
  ['fip_services', '/floatingips', 'floatingips'],
  ['metering_labels', '/metering/metering-labels', 'metering_labels'],
  ...VPN_LISTINGS,
  ...FIREWALL_LISTINGS,
];

const NETWORK_FIELDS = [
  'name',
  'description',
  'status',
  'admin_state_up',
  'shared',
  'router:external',
  'provider:network_type',
  'provider:physical_network',
  'provider:segmentation_id',
  'mtu',
  'subnets',
  'availability_zones',
  'tags',
];
const SUBNET_FIELDS = [
  'name',
  'description',
  'network_id',
  'cidr',
  'ip_version',
  'gateway_ip',
  'enable_dhcp',
  'allocation_pools',
  'dns_nameservers',
  'subnetpool_id',
  'tags',
];
const PORT_FIELDS = [
  'name',
  'description',
  'status',
  'admin_state_up',
  'network_id',
  'device_id',
  'device_owner',
  'mac_address',
  'fixed_ips',
  'binding:host_id',
  'binding:vnic_type',
  'security_groups',
  'tags',
];
const ROUTER_FIELDS = [
  'name',
  'description',
  'status',
  'admin_state_up',
  'external_gateway_info',
  'ha',
  'distributed',
  'availability_zones',
  'tags',
];
/** Source: ceilometer/network/floatingip.py. */
const FLOATING_IP_FIELDS = [
  'router_id',
  'status',
  'floating_network_id',
  'fixed_ip_address',
  'port_id',
  'floating_ip_address',
];

const PLANS: readonly ItemPlan[] = [
  existence('neutron.network', 'networks', 'network', NETWORK_FIELDS),
  existence('neutron.subnet', 'subnets', 'subnet', SUBNET_FIELDS),
  existence('neutron.port', 'ports', 'port', PORT_FIELDS),
  existence('neutron.router', 'routers', 'router', ROUTER_FIELDS),
  {
    name: 'neutron.floating_ip',
    discovery: 'fip_services',
    meters: [{
      name: 'ip.floating',
      type: 'gauge',
      unit: 'ip',
      value: (item) => statusCode(NETWORK_STATUS, item['status']),
      signed: true,
    }],
    userId: (item) => item['user_id'],
    metadata: (item) => pick(item, FLOATING_IP_FIELDS),
  },
  {
    name: 'neutron.metering_label',
    discovery: 'metering_labels',
    meters: [{ name: 'network.metering.label', type: 'gauge', unit: 'label', value: () => 1 }],
    metadata: (item) => pick(item, ['name', 'description', 'shared']),
  },
  ...VPN_PLANS,
  ...FIREWALL_PLANS,
];

/** Networks, subnets, ports, routers, floating IPs, metering labels, and those of VPN and firewall. */
export function neutronDiscoveries(session: OpenStackSession): Discovery[] {
  return LISTINGS.map(([name, path, entriesKey]) =>
    listingDiscovery(session, {
      name,
      serviceType: 'network',
      path: versioned('v2.0', path),
      entriesKey,
      paging: markerPaging(`${entriesKey}_links`),
    })
  );
}

export function neutronPollsters(_session: OpenStackSession): Pollster[] {
  return PLANS.map(itemPollster);
}

/** A gauge of 1 for what is there: its meter and its unit are the same noun. */
function existence(
  name: string,
  discovery: string,
  noun: string,
  fields: readonly string[],
): ItemPlan {
  return {
    name,
    discovery,
    meters: [{ name: noun, type: 'gauge', unit: noun, value: () => 1 }],
    metadata: (item) => pick(item, fields),
  };
}
