import { NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject } from '../../meters/json.ts';
import type { Reading } from '../../meters/sample.ts';
import type { Discovery, Pollster } from '../polling/pollster.ts';
import {
  declared,
  entryOf,
  idText,
  type ItemMeter,
  type ItemPlan,
  itemPollster,
  pick,
  projectOf,
  readMeters,
} from './item_pollster.ts';
import { type Listed, listed } from './listed.ts';
import { listingDiscovery, markerPaging, versioned } from './listing_discovery.ts';
import { HEALTH_MONITOR_FIELDS, LISTENER_FIELDS, LOAD_BALANCER_FIELDS } from './octavia_fields.ts';
import { memberMetadata, OLD_LOAD_BALANCER_FIELDS, poolMetadata } from './octavia_fields.ts';
import type { OpenStackSession } from './session_interface.ts';
import {
  LBAAS_V2_STATUS,
  OPERATING_STATUS,
  PROVISIONING_STATUS,
  statusCode,
} from './status_code.ts';

const SERVICE_TYPE = 'load-balancer';
const lbaas = (path: string) => versioned('v2.0', `/lbaas${path}`);

const LISTINGS = [
  ['lb_services', '/loadbalancers', 'loadbalancers'],
  ['lb_listeners', '/listeners', 'listeners'],
  ['lb_pools', '/pools', 'pools'],
  ['lb_health_probes', '/healthmonitors', 'healthmonitors'],
] as const;

const MEMBER_METERS = [operating('network.services.lb.member', 'member')];
const STATISTICS_METERS: readonly ItemMeter[] = [
  statistic('total.connections', 'cumulative', 'connection', 'total_connections'),
  statistic('active.connections', 'gauge', 'connection', 'active_connections'),
  statistic('incoming.bytes', 'gauge', 'B', 'bytes_in'),
  statistic('outgoing.bytes', 'gauge', 'B', 'bytes_out'),
];
const MEMBERS = { name: 'octavia.member', discovery: 'lb_pools' };
const STATISTICS = { name: 'octavia.statistics', discovery: 'lb_services' };

const PLANS: readonly ItemPlan[] = [
  {
    name: 'octavia.load_balancer',
    discovery: 'lb_services',
    meters: [
      {
        name: 'loadbalancer.operating',
        type: 'gauge',
        unit: 'status',
        value: (item) => statusCode(OPERATING_STATUS, item['operating_status']),
        signed: true,
      },
      {
        name: 'loadbalancer.provisioning',
        type: 'gauge',
        unit: 'status',
        value: (item) => statusCode(PROVISIONING_STATUS, item['provisioning_status']),
        signed: true,
      },
    ],
    metadata: (item) => pick(item, LOAD_BALANCER_FIELDS),
  },
  {
    name: 'octavia.old_load_balancer',
    discovery: 'lb_services',
    meters: [operating('network.services.lb.loadbalancer', 'loadbalancer')],
    metadata: (item) => pick(item, OLD_LOAD_BALANCER_FIELDS),
  },
  {
    name: 'octavia.listener',
    discovery: 'lb_listeners',
    meters: [operating('network.services.lb.listener', 'listener')],
    metadata: (item) => pick(item, LISTENER_FIELDS),
  },
  {
    name: 'octavia.pool',
    discovery: 'lb_pools',
    meters: [operating('network.services.lb.pool', 'pool')],
    metadata: poolMetadata,
  },
  {
    name: 'octavia.health_monitor',
    discovery: 'lb_health_probes',
    meters: [{
      name: 'network.services.lb.health_monitor',
      type: 'gauge',
      unit: 'health_monitor',
      value: () => 1,
    }],
    metadata: (item) => pick(item, HEALTH_MONITOR_FIELDS),
  },
];

/** Load balancers, listeners, pools and health monitors; members are read pool by pool. */
export function octaviaDiscoveries(session: OpenStackSession): Discovery[] {
  return LISTINGS.map(([name, path, entriesKey]) =>
    listingDiscovery(session, {
      name,
      serviceType: SERVICE_TYPE,
      path: lbaas(path),
      entriesKey,
      paging: markerPaging(`${entriesKey}_links`),
    })
  );
}

export function octaviaPollsters(session: OpenStackSession): Pollster[] {
  return [...PLANS.map(itemPollster), memberPollster(session), statisticsPollster(session)];
}

/** One call a pool; the members' statuses stand in their listing. */
function memberPollster(session: OpenStackSession): Pollster<Listed> {
  return {
    ...MEMBERS,
    meters: MEMBER_METERS.map(declared),
    async poll(unit, context) {
      entryOf(unit, MEMBERS);
      const path = lbaas(`/pools/${encodeURIComponent(unit.id)}/members`);
      const paging = markerPaging('members_links');
      const call = { signal: context.signal, entriesKey: 'members', paging };
      const readings: Reading[] = [];
      for await (const page of session.pages(SERVICE_TYPE, path, call)) {
        for (const { id, data } of listed(page, context)) {
          const subject = {
            unitId: unit.id,
            resourceId: id,
            projectId: projectOf(data.item),
            userId: null,
            metadata: memberMetadata(data.item, unit.id),
            readAt: data.readAt,
          };
          readings.push(...readMeters(MEMBER_METERS, data.item, subject, context));
        }
      }
      return readings;
    },
  };
}

/** One call a load balancer. */
function statisticsPollster(session: OpenStackSession): Pollster<Listed> {
  return {
    ...STATISTICS,
    meters: STATISTICS_METERS.map(declared),
    async poll(unit, context) {
      const { item } = entryOf(unit, STATISTICS);
      const path = lbaas(`/loadbalancers/${encodeURIComponent(unit.id)}/stats`);
      const answer = await session.get(SERVICE_TYPE, path, { signal: context.signal });
      const subject = {
        unitId: unit.id,
        resourceId: unit.id,
        projectId: projectOf(item),
        userId: null,
        metadata: { name: idText(item['name']) },
        readAt: context.now(),
      };
      return readMeters(STATISTICS_METERS, statisticsOf(answer, unit.id), subject, context);
    },
  };
}

function statisticsOf(answer: JsonObject, id: string): JsonObject {
  const found = answer['stats'];
  if (isJsonObject(found)) return found;
  throw new NephoError('parse_error', `Cannot read the statistics of '${id}': 'stats' is missing`);
}

function operating(name: string, unit: string): ItemMeter {
  return {
    name,
    type: 'gauge',
    unit,
    value: (item) => statusCode(LBAAS_V2_STATUS, item['operating_status']),
    signed: true,
  };
}

function statistic(
  name: string,
  type: 'gauge' | 'cumulative',
  unit: string,
  key: string,
): ItemMeter {
  return { name: `network.services.lb.${name}`, type, unit, value: (item) => item[key] };
}
