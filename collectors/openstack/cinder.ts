import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import type { Discovery, Pollster } from '../polling/pollster.ts';
import { POOL_METERS, poolMetadata } from './cinder_pool.ts';
import { idText, type ItemMeter, itemPollster, pick } from './item_pollster.ts';
import { listingDiscovery, type ListingPlan, markerPaging } from './listing_discovery.ts';
import type { OpenStackSession } from './session_interface.ts';
import { statusCode } from './status_code.ts';

/**
 * 3.41 names the user of a snapshot, 3.56 the user and project of a backup, 3.63 the id of a volume's
 * type; Ceilometer asks for 3.64 too (OpenStack Wallaby, 2021).
 */
const HEADERS = { 'openstack-api-version': 'volume 3.64' };
const SERVICE_TYPE = 'block-storage';

const VOLUME_FIELDS = [
  'name',
  'status',
  'volume_type',
  'volume_type_id',
  'availability_zone',
  'os-vol-host-attr:host',
  'migration_status',
  'attachments',
  'snapshot_id',
  'source_volid',
];
const SNAPSHOT_FIELDS = [
  'name',
  'volume_id',
  'status',
  'description',
  'metadata',
  'os-extended-snapshot-attributes:progress',
];
const BACKUP_FIELDS = [
  'name',
  'is_incremental',
  'object_count',
  'container',
  'volume_id',
  'status',
  'description',
];

const size = (item: JsonObject): JsonValue | undefined => item['size'];
const one = (): number => 1;
const VOLUME_METERS: readonly ItemMeter[] = [
  { name: 'volume', type: 'gauge', unit: 'volume', value: one },
  { name: 'volume.size', type: 'gauge', unit: 'GiB', value: size },
];
const SNAPSHOT_METERS: readonly ItemMeter[] = [
  { name: 'snapshot', type: 'gauge', unit: 'snapshot', value: one },
  { name: 'snapshot.size', type: 'gauge', unit: 'GiB', value: size },
  { name: 'volume.snapshot.size', type: 'gauge', unit: 'GiB', value: size },
];
const BACKUP_METERS: readonly ItemMeter[] = [
  { name: 'volume.backup.size', type: 'gauge', unit: 'GiB', value: size },
];
const SERVICE_METERS: readonly ItemMeter[] = [
  {
    name: 'volume.service.health',
    type: 'gauge',
    unit: 'health',
    value: (item) => statusCode({ down: 0, up: 1 }, item['state']),
  },
];

/** Volumes, snapshots and backups of all projects; pools and services for the administrator. */
export function cinderDiscoveries(session: OpenStackSession): Discovery[] {
  const plans: Omit<ListingPlan, 'serviceType' | 'headers'>[] = [
    listing('volumes', '/volumes/detail?all_tenants=1', 'volumes'),
    listing('volume_snapshots', '/snapshots/detail?all_tenants=1', 'snapshots'),
    listing('volume_backups', '/backups/detail?all_tenants=1', 'backups'),
    {
      name: 'volume_pools',
      path: '/scheduler-stats/get_pools?detail=true',
      entriesKey: 'pools',
      paging: { by: 'nothing' },
      idKey: 'name',
    },
    {
      name: 'volume_services',
      path: '/os-services',
      entriesKey: 'services',
      paging: { by: 'nothing' },
      identify: serviceId,
    },
  ];
  return plans.map((plan) =>
    listingDiscovery(session, { ...plan, serviceType: SERVICE_TYPE, headers: HEADERS })
  );
}

export function cinderPollsters(_session: OpenStackSession): Pollster[] {
  return [
    itemPollster({
      name: 'cinder.volume',
      discovery: 'volumes',
      meters: VOLUME_METERS,
      projectId: (item) => item['os-vol-tenant-attr:tenant_id'],
      userId: (item) => item['user_id'],
      metadata: volumeMetadata,
    }),
    itemPollster({
      name: 'cinder.snapshot',
      discovery: 'volume_snapshots',
      meters: SNAPSHOT_METERS,
      projectId: (item) => item['os-extended-snapshot-attributes:project_id'],
      userId: (item) => item['user_id'],
      metadata: (item) => pick(item, SNAPSHOT_FIELDS),
    }),
    itemPollster({
      name: 'cinder.backup',
      discovery: 'volume_backups',
      meters: BACKUP_METERS,
      projectId: (item) => item['os-backup-project-attr:project_id'] ?? item['project_id'],
      userId: (item) => item['user_id'],
      metadata: (item) => pick(item, BACKUP_FIELDS),
    }),
    itemPollster({
      name: 'cinder.pool',
      discovery: 'volume_pools',
      meters: POOL_METERS,
      metadata: poolMetadata,
    }),
    itemPollster({
      name: 'cinder.service',
      discovery: 'volume_services',
      meters: SERVICE_METERS,
      metadata: (item) => pick(item, ['binary', 'host', 'status', 'zone']),
    }),
  ];
}

function listing(
  name: string,
  path: string,
  entriesKey: string,
): Omit<ListingPlan, 'serviceType' | 'headers'> {
  return { name, path, entriesKey, paging: markerPaging(`${entriesKey}_links`) };
}

/** Ceilometer's fields, and its two of one level below: the image and the first instance. */
function volumeMetadata(item: JsonObject): JsonObject {
  const image = item['volume_image_metadata'];
  const attachments = item['attachments'];
  const first = Array.isArray(attachments) ? attachments[0] : undefined;
  return {
    ...pick(item, VOLUME_FIELDS),
    image_id: isJsonObject(image) ? image['image_id'] ?? null : null,
    instance_id: isJsonObject(first) ? first['server_id'] ?? null : null,
  };
}

function serviceId(item: JsonObject): string | null {
  const binary = idText(item['binary']);
  const host = idText(item['host']);
  return binary === null || host === null ? null : `${binary}@${host}`;
}
