import type { Discovery, Pollster } from '../polling/pollster.ts';
import { itemPollster, pick } from './item_pollster.ts';
import { listingDiscovery, markerPaging, versioned } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';

/** Facts of the cluster; the addresses of its nodes come and go, and its labels may hold secrets. */
const FIELDS = [
  'name',
  'status',
  'health_status',
  'cluster_template_id',
  'stack_id',
  'keypair',
  'flavor_id',
  'master_flavor_id',
  'coe_version',
  'container_version',
];

/** The clusters of all projects, for who may `cluster:detail_all_projects`. */
export function magnumDiscoveries(session: OpenStackSession): Discovery[] {
  return [listingDiscovery(session, {
    name: 'magnum_clusters',
    serviceType: 'container-infrastructure-management',
    path: versioned('v1', '/clusters/detail'),
    entriesKey: 'clusters',
    paging: markerPaging(undefined, 'uuid'),
    idKey: 'uuid',
  })];
}

/** Ceilometer had but notifications of Magnum: these meters are ours. */
export function magnumPollsters(_session: OpenStackSession): Pollster[] {
  return [itemPollster({
    name: 'magnum.cluster',
    discovery: 'magnum_clusters',
    meters: [
      { name: 'magnum.cluster', type: 'gauge', unit: 'cluster', value: () => 1 },
      {
        name: 'magnum.cluster.nodes',
        type: 'gauge',
        unit: 'node',
        value: (item) => item['node_count'],
      },
      {
        name: 'magnum.cluster.masters',
        type: 'gauge',
        unit: 'node',
        value: (item) => item['master_count'],
      },
    ],
    userId: (item) => item['user_id'],
    metadata: (item) => pick(item, FIELDS),
  })];
}
