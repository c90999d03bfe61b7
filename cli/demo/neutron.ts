/** Neutron's notifications: networks, subnets, routers, ports, floating IPs, traffic by label. */
import { type Event, isoSeconds } from './oslo.ts';
import type { SeededRandom } from './random.ts';
import { actorOf, type Tenant } from './tenants.ts';

export type NetworkKind = 'network' | 'subnet' | 'router' | 'port' | 'floatingip';

/** Anything that Neutron has: its kind and its body, in Neutron's own words. */
export interface NetworkResource {
  tenant: Tenant;
  kind: NetworkKind;
  id: string;
  body: Record<string, unknown>;
}

export interface Making {
  random: SeededRandom;
  atMs: number;
}

export function makeNetwork(tenant: Tenant, making: Making): NetworkResource {
  return make(tenant, 'network', making, {
    name: `${tenant.name}-net`,
    admin_state_up: true,
    mtu: 1_450,
    status: 'ACTIVE',
    subnets: [],
    shared: false,
    'router:external': false,
    'provider:network_type': 'geneve',
    'provider:physical_network': null,
    'provider:segmentation_id': making.random.between(1, 65_535),
    availability_zone_hints: [],
    availability_zones: [],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    is_default: false,
  });
}

export function makeSubnet(network: NetworkResource, making: Making): NetworkResource {
  const third = making.random.between(1, 250);
  return make(network.tenant, 'subnet', making, {
    name: `${network.tenant.name}-subnet`,
    network_id: network.id,
    ip_version: 4,
    subnetpool_id: null,
    enable_dhcp: true,
    ipv6_ra_mode: null,
    ipv6_address_mode: null,
    gateway_ip: `10.9.${third}.1`,
    cidr: `10.9.${third}.0/24`,
    allocation_pools: [{ start: `10.9.${third}.2`, end: `10.9.${third}.254` }],
    host_routes: [],
    dns_nameservers: [],
    service_types: [],
  });
}

export function makeRouter(tenant: Tenant, making: Making): NetworkResource {
  return make(tenant, 'router', making, {
    name: `${tenant.name}-router`,
    admin_state_up: true,
    status: 'ACTIVE',
    external_gateway_info: null,
    availability_zones: [],
    availability_zone_hints: [],
    distributed: false,
    ha: false,
    routes: [],
    flavor_id: null,
  });
}

export function makePort(
  network: NetworkResource,
  deviceId: string,
  making: Making,
): NetworkResource {
  const { random } = making;
  const mac = ['fa', '16', '3e', random.hex(2), random.hex(2), random.hex(2)].join(':');
  return make(network.tenant, 'port', making, {
    name: '',
    network_id: network.id,
    mac_address: mac,
    admin_state_up: true,
    status: 'ACTIVE',
    device_id: deviceId,
    device_owner: 'compute:nova',
    fixed_ips: [{ subnet_id: random.uuid(), ip_address: `10.9.0.${random.between(2, 254)}` }],
    security_groups: [random.uuid()],
    'binding:vnic_type': 'normal',
    'binding:profile': {},
    'binding:vif_type': 'ovs',
    'binding:vif_details': {},
    allowed_address_pairs: [],
    extra_dhcp_opts: [],
  });
}

export function makeFloatingIp(tenant: Tenant, making: Making): NetworkResource {
  const { random } = making;
  return make(tenant, 'floatingip', making, {
    floating_ip_address: `172.24.${random.between(1, 8)}.${random.between(2, 254)}`,
    floating_network_id: random.uuid(),
    router_id: null,
    port_id: null,
    fixed_ip_address: null,
    status: 'DOWN',
    port_details: null,
  });
}

/** @param action `create.start`, `create.end`, `update.end`, `delete.end`, … */
export function networkEvent(resource: NetworkResource, action: string): Event {
  const payload: Record<string, unknown> = { [resource.kind]: resource.body };
  if (action.startsWith('delete')) payload[`${resource.kind}_id`] = resource.id;
  return {
    exchange: 'neutron',
    publisherId: 'network.controller-1',
    eventType: `${resource.kind}.${action}`,
    payload,
    actor: action === 'exists' ? null : actorOf(resource.tenant),
  };
}

/** What went through a project's metering label since the last report: bytes of one direction. */
export function trafficEvent(
  tenant: Tenant,
  labelId: string,
  traffic: { bytes: number; seconds: number; atMs: number },
): Event {
  const last = Math.floor(traffic.atMs / 1_000);
  return {
    exchange: 'neutron',
    publisherId: 'metering.network-1',
    eventType: 'l3.meter',
    payload: {
      tenant_id: tenant.projectId,
      label_id: labelId,
      label_name: `${tenant.name}-egress`,
      label_shared: false,
      pkts: Math.ceil(traffic.bytes / 1_200),
      bytes: traffic.bytes,
      time: traffic.seconds,
      first_update: last - traffic.seconds,
      last_update: last,
      host: 'network-1',
    },
    actor: null,
  };
}

function make(
  tenant: Tenant,
  kind: NetworkKind,
  { random, atMs }: Making,
  body: Record<string, unknown>,
): NetworkResource {
  const id = random.uuid();
  const time = isoSeconds(atMs);
  return {
    tenant,
    kind,
    id,
    body: {
      id,
      tenant_id: tenant.projectId,
      project_id: tenant.projectId,
      ...body,
      description: '',
      tags: [],
      created_at: time,
      updated_at: time,
      revision_number: 1,
    },
  };
}
