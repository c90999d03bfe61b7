import type { JsonObject } from '../../meters/json.ts';
import { pick } from './item_pollster.ts';

/** Source: ceilometer/load_balancer/octavia.py. */
export const LOAD_BALANCER_FIELDS = [
  'name',
  'availability_zone',
  'vip_address',
  'vip_port_id',
  'provisioning_status',
  'operating_status',
  'provider',
  'flavor_id',
];

/** Source, of this and those below: ceilometer/network/services/lbaas.py before its end in 2022. */
export const OLD_LOAD_BALANCER_FIELDS = [
  'admin_state_up',
  'description',
  'vip_address',
  'listeners',
  'name',
  'vip_subnet_id',
  'operating_status',
];
export const LISTENER_FIELDS = [
  'admin_state_up',
  'connection_limit',
  'description',
  'name',
  'default_pool_id',
  'protocol',
  'protocol_port',
  'operating_status',
  'loadbalancers',
];
export const HEALTH_MONITOR_FIELDS = [
  'admin_state_up',
  'delay',
  'max_retries',
  'pools',
  'timeout',
  'type',
];

/** Ceilometer kept the names of the first version: `lb_method`, `status`, `status_description`. */
export function poolMetadata(item: JsonObject): JsonObject {
  return {
    ...pick(item, ['admin_state_up', 'description', 'name', 'protocol', 'provider']),
    lb_method: item['lb_algorithm'] ?? null,
    ...statuses(item),
    listeners: item['listeners'] ?? null,
    loadbalancers: item['loadbalancers'] ?? null,
  };
}

/** As {@link poolMetadata}; the pool is the one that lists the member. */
export function memberMetadata(item: JsonObject, poolId: string): JsonObject {
  return {
    ...pick(item, ['admin_state_up', 'address', 'protocol_port', 'weight']),
    pool_id: poolId,
    ...statuses(item),
  };
}

function statuses(item: JsonObject): JsonObject {
  const status = item['operating_status'] ?? null;
  return { status, status_description: status };
}
