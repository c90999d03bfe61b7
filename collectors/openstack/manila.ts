import { NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import type { Discovery, Pollster } from '../polling/pollster.ts';
import { itemPollster, pick } from './item_pollster.ts';
import { listed } from './listed.ts';
import { offeredListing, PAGE_ENTRIES } from './listing_discovery.ts';
import type { OpenStackSession, ServicePath } from './session_interface.ts';
import { SHARE_STATUS, statusCode } from './status_code.ts';

/** 2.6 tells a share's type by its id, 2.9 leaves its export locations out (OpenStack Mitaka, 2016). */
const HEADERS = { 'x-openstack-manila-api-version': '2.9' };
/** Pages at most: ten million shares. */
const MAX_PAGES = 10_000;

const FIELDS = [
  'name',
  'availability_zone',
  'share_type',
  'share_network_id',
  'status',
  'host',
  'is_public',
];

/**
 * The shares of all projects. Manila pages by offset alone: sorted by their creation, so that what is
 * made meanwhile comes last; what is deleted meanwhile may hide another share for this one cycle.
 */
export function manilaDiscoveries(session: OpenStackSession): Discovery[] {
  const plan = {
    name: 'manila_shares',
    serviceType: 'shared-file-system',
    entriesKey: 'shares',
    headers: HEADERS,
    paging: { by: 'nothing' },
  } as const;
  return [offeredListing(plan, async function* (context) {
    let offset = 0;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const call = { ...plan, signal: context.signal };
      let found = 0;
      for await (const page of session.pages(plan.serviceType, sharesFrom(offset), call)) {
        found += page.length;
        yield listed(page, context);
      }
      // A cloud may give fewer a page than asked for: only an empty one is the end.
      if (found === 0) return;
      offset += found;
    }
    throw new NephoError('paging_loop', `Cannot list shares: more than ${MAX_PAGES} pages`);
  })];
}

export function manilaPollsters(_session: OpenStackSession): Pollster[] {
  return [itemPollster({
    name: 'manila.share',
    discovery: 'manila_shares',
    meters: [
      { name: 'manila.share.size', type: 'gauge', unit: 'GiB', value: (item) => item['size'] },
      {
        name: 'manila.share.status',
        type: 'gauge',
        unit: 'status',
        value: (item) => statusCode(SHARE_STATUS, item['status']),
        signed: true,
      },
    ],
    userId: (item) => item['user_id'],
    metadata: (item): JsonObject => ({
      ...pick(item, FIELDS),
      protocol: item['share_proto'] ?? null,
    }),
  })];
}

function sharesFrom(offset: number): ServicePath {
  const order = 'sort_key=created_at&sort_dir=asc';
  const query = `all_tenants=1&${order}&limit=${PAGE_ENTRIES}&offset=${offset}`;
  return (endpoint) => `${endpoint.replace(/\/+$/, '')}/shares/detail?${query}`;
}
