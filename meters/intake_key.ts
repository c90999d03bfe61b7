import { carriesCeilometerSamples } from './ceilometer_samples.ts';
import { fnv1a, fnv1aOfBytes } from './fnv1a.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import type { Notification } from './notification.ts';

/** Keys that name a project, in the order in which they are believed. */
const PROJECT_KEYS = ['tenant_id', 'project_id', 'owner', 'owner_id', 'tenant', 'project'];
/** Keys that name a resource where the project is not named, as in Neutron's deletions. */
const RESOURCE_KEYS =
  ('instance_id instance_uuid volume_id snapshot_id backup_id share_id network_id router_id ' +
    'floatingip_id port_id subnet_id security_group_id stack_identity cluster_id zone_id ' +
    'resource_info uuid id resource_id nodename host').split(' ');
/** A resource inside a payload has its id under `id`, beside the ids of others. */
const NESTED_RESOURCE_KEYS = ['id', 'uuid', ...RESOURCE_KEYS];
const CONTEXT_PROJECT_KEYS = ['project_id', 'tenant_id', 'tenant', 'project'];
/** Members of a payload that are looked into; real ones have at most a hundred. */
const MAX_MEMBERS = 256;

/**
 * What a notification is sharded by, so chosen that the samples of one series meet in one shard. The
 * first of these that is a text and not empty:
 *
 * 1. the project in the payload: `tenant_id`, `project_id`, `owner`, `owner_id`, `tenant`, `project`;
 *    in a versioned notification, in its `nova_object.data`;
 * 2. of a CADF event, the project of its `initiator`, then of its `target`, then the `target`'s id
 *    (the event's own id is new each time);
 * 3. the project in another object right in the payload, in the order of the payload, as in Neutron's
 *    `{"network": {"tenant_id": …}}`, or in the first object of a list (a bulk creation);
 * 4. the resource in the payload: `instance_id`, `volume_id`, …, `id`, and others in a fixed order;
 *    then in the objects of 3, `id` before the others;
 * 5. the project in the context;
 * 6. the event type.
 *
 * Samples of Ceilometer's agents go by the event type alone: one such message is about many projects,
 * now this one first and now that one, and only one shard can keep their series from moving.
 *
 * It is part of what is stored, so a change here is a change of format.
 */
export function intakeKey(notification: Notification): string {
  const { payload, context, eventType } = notification;
  if (carriesCeilometerSamples(eventType)) return eventType;
  const key = isJsonObject(payload) ? payloadKey(versionedData(payload)) : null;
  return key ?? firstText(context, CONTEXT_PROJECT_KEYS) ?? eventType;
}

/**
 * The shard, from 0, of a key among `shards`: 32-bit FNV-1a of its UTF-8 bytes, modulo `shards`.
 * `shardOf('foobar', 2 ** 32)` is 0xbf9cf968.
 */
export function shardOf(key: string, shards: number): number {
  return fnv1a(key) % shards;
}

/** The same of bytes, for a body that is no notification. */
export function shardOfBytes(bytes: Uint8Array, shards: number): number {
  return fnv1aOfBytes(bytes) % shards;
}

function payloadKey(body: JsonObject): string | null {
  const own = firstText(body, PROJECT_KEYS);
  if (own !== null) return own;
  const cadf = cadfKey(body);
  if (cadf !== null) return cadf;
  const parts = partsOf(body);
  return firstTextOf(parts, PROJECT_KEYS) ?? firstText(body, RESOURCE_KEYS) ??
    firstTextOf(parts, NESTED_RESOURCE_KEYS);
}

/** Nova's versioned notifications nest the facts: `{"nova_object.data": {…}, "nova_object.name": …}`. */
function versionedData(value: JsonObject): JsonObject {
  const data = value['nova_object.data'];
  return isJsonObject(data) ? data : value;
}

/** CADF (DMTF DSP0262), as Keystone and the audit and Swift middleware write it. */
function cadfKey(body: JsonObject): string | null {
  const { initiator, target } = body;
  if (!isObject(initiator) || !isObject(target)) return null;
  return firstTextOf([initiator, target], PROJECT_KEYS) ?? firstText(target, ['id']);
}

/** The objects right in a payload, in its order. */
function partsOf(body: JsonObject): JsonObject[] {
  const parts: JsonObject[] = [];
  let members = 0;
  for (const key in body) {
    members += 1;
    if (members > MAX_MEMBERS) break;
    const value = body[key];
    const part = Array.isArray(value) ? value[0] : value;
    if (isObject(part)) parts.push(versionedData(part));
  }
  return parts;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== undefined && isJsonObject(value);
}

function firstTextOf(objects: readonly JsonObject[], keys: readonly string[]): string | null {
  for (const object of objects) {
    const text = firstText(object, keys);
    if (text !== null) return text;
  }
  return null;
}

function firstText(object: JsonObject, keys: readonly string[]): string | null {
  for (const key of keys) {
    const value = object[key];
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}
