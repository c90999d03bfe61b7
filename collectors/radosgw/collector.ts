import { NephoError } from '../../meters/errors.ts';
import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import {
  addQuantities,
  formatQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
} from '../../meters/quantity.ts';
import type { Reading } from '../../meters/sample.ts';
import { declared, type ItemMeter, readMeters } from '../openstack/item_pollster.ts';
import { readNumber } from '../openstack/json_number.ts';
import type { Collector, PollContext, Pollster } from '../polling/pollster.ts';
import { AdminClient, type RadosgwDeps } from './admin_client.ts';
import type { RadosgwSettings } from './settings_schema.ts';

const NOTHING: Quantity = { unscaled: 0n, scale: 0 };
const KIB: Quantity = { unscaled: 1024n, scale: 0 };

const ACCOUNT_METERS = [
  meter('radosgw.objects', 'object', 'objects'),
  meter('radosgw.objects.size', 'B', 'bytes'),
  meter('radosgw.objects.containers', 'container', 'buckets'),
];
const BUCKET_METERS = [
  meter('radosgw.containers.objects', 'object', 'objects'),
  meter('radosgw.containers.objects.size', 'B', 'bytes'),
];
const USAGE_METERS = [meter('radosgw.api.request', 'request', 'operations')];

/**
 * The Ceph Object Gateway by its admin API: one call a project for its buckets, one for its usage. The
 * projects are found by the discovery `tenant` of the source's cloud.
 */
export function createRadosgwCollector(settings: RadosgwSettings, deps: RadosgwDeps): Collector {
  const client = new AdminClient(settings, deps);
  return {
    name: 'radosgw',
    discoveries: [],
    pollsters: [bucketPollster(client), usagePollster(client)],
    close: () => client.close(),
  };
}

function bucketPollster(client: AdminClient): Pollster {
  return {
    name: 'radosgw.buckets',
    discovery: 'tenant',
    meters: [...ACCOUNT_METERS, ...BUCKET_METERS].map(declared),
    async poll(unit, context) {
      const answer = await client.ofProject('bucket', unit.id, context.signal);
      if (answer === null) return [];
      const buckets = objectsOf(answer, unit.id).map(bucketOf);
      const sum = (field: 'objects' | 'bytes') => total(buckets.map((bucket) => bucket[field]));
      const account = {
        objects: sum('objects'),
        bytes: sum('bytes'),
        buckets: buckets.length,
      };
      return [
        ...readOf(ACCOUNT_METERS, account, unit.id, context),
        ...buckets.flatMap((bucket) => readOf(BUCKET_METERS, bucket, unit.id, context)),
      ];
    },
  };
}

function usagePollster(client: AdminClient): Pollster {
  return {
    name: 'radosgw.usage',
    discovery: 'tenant',
    meters: USAGE_METERS.map(declared),
    async poll(unit, context) {
      const answer = await client.ofProject('usage', unit.id, context.signal);
      if (answer === null) return [];
      const summary = isJsonObject(answer) ? answer['summary'] : undefined;
      const operations = total(
        objectsOf(summary, unit.id).map(({ total: totals }) =>
          isJsonObject(totals) ? totals['ops'] : undefined
        ),
      );
      return readOf(USAGE_METERS, { operations }, unit.id, context);
    },
  };
}

/** The objects and bytes of a bucket over its kinds of storage. */
function bucketOf(bucket: JsonObject): JsonObject {
  const { usage, bucket: name } = bucket;
  const kinds = isJsonObject(usage)
    ? Object.values(usage).filter((kind) => isJsonObject(kind))
    : [];
  return {
    name: typeof name === 'string' ? name : null,
    objects: total(kinds.map((kind) => kind['num_objects'])),
    bytes: total(kinds.map(bytesOf)),
  };
}

/** Gateways before Luminous tell but whole KiB, rounded up. */
function bytesOf(kind: JsonObject): JsonValue | undefined {
  if (kind['size'] !== undefined) return kind['size'];
  const kib = readNumber(kind['size_kb']);
  return kib === null
    ? undefined
    : new ExactNumber(formatQuantity(multiplyQuantities(parseQuantity(kib.volume), KIB)));
}

/** The exact sum; null if one of them is no number. */
function total(values: readonly (JsonValue | undefined)[]): JsonValue {
  let sum = NOTHING;
  for (const value of values) {
    const number = readNumber(value);
    if (number === null || number.volume.startsWith('-')) return null;
    sum = addQuantities(sum, parseQuantity(number.volume));
  }
  return new ExactNumber(formatQuantity(sum));
}

function readOf(
  meters: readonly ItemMeter[],
  item: JsonObject,
  project: string,
  context: PollContext,
): Reading[] {
  const { name } = item;
  const subject = {
    unitId: project,
    resourceId: typeof name === 'string' ? `${project}/${name}` : project,
    projectId: project,
    userId: null,
    metadata: {},
    readAt: context.now(),
  };
  return readMeters(meters, item, subject, context);
}

function objectsOf(value: JsonValue | undefined, project: string): JsonObject[] {
  if (Array.isArray(value) && value.every((each) => isJsonObject(each))) return value;
  throw new NephoError(
    'parse_error',
    `Cannot read what the gateway tells of project '${project}': there is no list`,
    { retryable: true },
  );
}

function meter(name: string, unit: string, key: string): ItemMeter {
  return { name, type: 'gauge', unit, value: (item) => item[key] };
}
