import { isJsonObject } from '../../meters/json.ts';
import type { Discovery, Pollster } from '../polling/pollster.ts';
import {
  declared,
  entryOf,
  type ItemMeter,
  itemPollster,
  pick,
  projectOf,
  readMeters,
} from './item_pollster.ts';
import type { Listed } from './listed.ts';
import { listingDiscovery, markerPaging, versioned } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';
import { statusCode, ZONE_STATUS } from './status_code.ts';

const SERVICE_TYPE = 'dns';
const HEADERS = { 'x-auth-all-projects': 'true' };
/** Source: ceilometer/dns/designate.py. */
const FIELDS = [
  'name',
  'email',
  'ttl',
  'description',
  'type',
  'status',
  'action',
  'serial',
  'pool_id',
];
const ZONE_METERS: readonly ItemMeter[] = [
  {
    name: 'dns.zone.status',
    type: 'gauge',
    unit: 'status',
    value: (item) => statusCode(ZONE_STATUS, item['status']),
    signed: true,
  },
  { name: 'dns.zone.ttl', type: 'gauge', unit: 'second', value: (item) => item['ttl'] },
  { name: 'dns.zone.serial', type: 'gauge', unit: 'serial', value: (item) => item['serial'] },
];
const RECORDSET_METERS: readonly ItemMeter[] = [{
  name: 'dns.zone.recordsets',
  type: 'gauge',
  unit: 'recordset',
  value: (item) => item['total_count'],
}];
const RECORDSETS = { name: 'designate.recordsets', discovery: 'dns_zones' };

/** The zones of all projects, for who may `all_tenants`. */
export function designateDiscoveries(session: OpenStackSession): Discovery[] {
  return [listingDiscovery(session, {
    name: 'dns_zones',
    serviceType: SERVICE_TYPE,
    path: versioned('v2', '/zones'),
    entriesKey: 'zones',
    paging: markerPaging(),
    headers: HEADERS,
  })];
}

export function designatePollsters(session: OpenStackSession): Pollster[] {
  const zones = itemPollster({
    name: 'designate.zone',
    discovery: 'dns_zones',
    meters: ZONE_METERS,
    metadata: (item) => pick(item, FIELDS),
  });
  return [zones, recordsetPollster(session)];
}

/** One call a zone: the first record set alone, since beside it stands how many there are. */
function recordsetPollster(session: OpenStackSession): Pollster<Listed> {
  return {
    ...RECORDSETS,
    meters: RECORDSET_METERS.map(declared),
    async poll(unit, context) {
      const { item } = entryOf(unit, RECORDSETS);
      const path = versioned('v2', `/zones/${encodeURIComponent(unit.id)}/recordsets?limit=1`);
      const call = { signal: context.signal, headers: HEADERS };
      const { metadata } = await session.get(SERVICE_TYPE, path, call);
      const subject = {
        unitId: unit.id,
        resourceId: unit.id,
        projectId: projectOf(item),
        userId: null,
        metadata: pick(item, FIELDS),
        readAt: context.now(),
      };
      return readMeters(RECORDSET_METERS, isJsonObject(metadata) ? metadata : {}, subject, context);
    },
  };
}
