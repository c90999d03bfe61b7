import type { Discovery, Pollster } from '../polling/pollster.ts';
import { itemPollster, pick } from './item_pollster.ts';
import { type Listed, listed } from './listed.ts';
import { markerPaging, versioned } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';

/** Source of the first: ceilometer/image/glance.py. */
const FIELDS = [
  'status',
  'visibility',
  'name',
  'container_format',
  'created_at',
  'disk_format',
  'updated_at',
  'min_disk',
  'protected',
  'checksum',
  'min_ram',
  'tags',
  'virtual_size',
  'os_hidden',
];
/** Hidden images fill the store like others, but are listed only when asked for. */
const QUERIES = ['', '?os_hidden=true'];

/** The images of all projects, hidden ones too, for who Glance takes for an administrator. */
export function glanceDiscoveries(session: OpenStackSession): Discovery[] {
  const images: Discovery<Listed> = {
    name: 'images',
    async *discover(context) {
      for (const query of QUERIES) {
        const call = {
          signal: context.signal,
          entriesKey: 'images',
          paging: markerPaging('next'),
        };
        for await (const page of session.pages('image', versioned('v2', `/images${query}`), call)) {
          yield listed(page, context);
        }
      }
    },
  };
  return [images];
}

export function glancePollsters(_session: OpenStackSession): Pollster[] {
  return [itemPollster({
    name: 'glance.image',
    discovery: 'images',
    meters: [
      { name: 'image', type: 'gauge', unit: 'image', value: () => 1 },
      // An image that nobody has uploaded yet has no size.
      {
        name: 'image.size',
        type: 'gauge',
        unit: 'B',
        value: (item) => item['size'],
        optional: true,
      },
    ],
    projectId: (item) => item['owner'],
    metadata: (item) => pick(item, FIELDS),
  })];
}
