import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import type { Unit } from '../polling/pollster.ts';
import { unreadable } from './json_answer.ts';
import type { Listed } from './listed.ts';

/** A server of Nova's listing, with what all its samples say of it. */
export interface ListedServer extends Listed {
  readonly metadata: JsonObject;
}

/** Flavor's name to what Nova says of it: the listing of servers leaves the id out. */
export type Flavors = ReadonlyMap<string, JsonObject>;

/** Copied where Nova has it, under its own name or as `OS-EXT-SRV-ATTR:…`. */
const PROPERTIES = [
  'OS-EXT-AZ:availability_zone',
  'architecture',
  'kernel_id',
  'os_type',
  'ramdisk_id',
  'reservation_id',
] as const;
/** `metering.x` of a server's own metadata becomes `user_metadata.x`: Ceilometer's default. */
const RESERVED_PREFIX = 'metering.';
const MAX_USER_VALUE = 256;

/**
 * The server that a unit of the discovery `servers` carries.
 *
 * @throws {NephoError} `parse_error` for a unit that another discovery, or `resources:`, brought
 */
export function serverOf(unit: Unit): ListedServer {
  const data: unknown = unit.data;
  if (
    typeof data === 'object' && data !== null && 'item' in data && isJsonObject(data.item) &&
    'metadata' in data && isJsonObject(data.metadata) && 'readAt' in data &&
    typeof data.readAt === 'string'
  ) return { item: data.item, metadata: data.metadata, readAt: data.readAt };
  throw unreadable(unit.id, "it comes from no listing of Nova; name the discovery 'servers'");
}

/** The flavor that a server was made of, an empty object without one. */
export function flavorOf(server: JsonObject): JsonObject {
  const { flavor } = server;
  return isJsonObject(flavor) ? flavor : {};
}

/** The metadata of all samples of a server. Source of the names: ceilometer/compute/pollsters/util.py */
export function serverMetadata(server: JsonObject, flavors: Flavors): JsonObject {
  const flavor = flavorFacts(flavorOf(server), flavors);
  const image = isJsonObject(server['image']) ? server['image'] : null;
  const status = server['status'];
  const metadata: JsonObject = {
    display_name: server['name'] ?? null,
    name: server['OS-EXT-SRV-ATTR:instance_name'] ?? null,
    instance_id: server['id'] ?? null,
    instance_type: flavor['name'] ?? null,
    host: server['hostId'] ?? null,
    instance_host: server['OS-EXT-SRV-ATTR:host'] ?? null,
    flavor,
    status: typeof status === 'string' ? status.toLowerCase() : null,
    state: server['OS-EXT-STS:vm_state'] ?? null,
    task_state: server['OS-EXT-STS:task_state'] ?? null,
    image: image === null ? null : { id: image['id'] ?? null },
    image_ref: image?.['id'] ?? null,
    image_ref_url: image === null ? null : bookmarkOf(image),
    vcpus: flavor['vcpus'] ?? null,
    memory_mb: flavor['ram'] ?? null,
    disk_gb: sumOf(flavor['disk'], flavor['ephemeral']),
    ephemeral_gb: flavor['ephemeral'] ?? null,
    root_gb: flavor['disk'] ?? null,
    created_at: server['created'] ?? null,
    launched_at: server['OS-SRV-USG:launched_at'] ?? null,
    user_metadata: userMetadata(server['metadata']),
  };
  for (const name of PROPERTIES) {
    const value = server[name] ?? server[`OS-EXT-SRV-ATTR:${name}`];
    if (value !== undefined && value !== null && value !== '') metadata[name] = value;
  }
  return metadata;
}

/**
 * A flavor as Nova embeds it, with its id if the flavor of that name is still the one that the server
 * was made of.
 */
function flavorFacts(embedded: JsonObject, flavors: Flavors): JsonObject {
  const name = embedded['original_name'] ?? null;
  const known = typeof name === 'string' ? flavors.get(name) : undefined;
  const same = known !== undefined &&
    ['vcpus', 'ram', 'disk'].every((fact) => known[fact] === embedded[fact]);
  return {
    id: same ? known['id'] ?? null : null,
    name,
    vcpus: embedded['vcpus'] ?? null,
    ram: embedded['ram'] ?? null,
    disk: embedded['disk'] ?? null,
    ephemeral: embedded['ephemeral'] ?? null,
    // No swap is an empty text in older versions.
    swap: embedded['swap'] === '' ? 0 : embedded['swap'] ?? null,
  };
}

function userMetadata(metadata: JsonValue | undefined): JsonObject {
  if (!isJsonObject(metadata)) return {};
  const reserved = Object.entries(metadata).filter(([key]) => key.startsWith(RESERVED_PREFIX));
  return Object.fromEntries(reserved.map(([key, value]) => [
    key.slice(RESERVED_PREFIX.length).replaceAll('.', '_'),
    typeof value === 'string' ? value.slice(0, MAX_USER_VALUE) : value,
  ]));
}

function bookmarkOf(image: JsonObject): JsonValue {
  const { links } = image;
  const first = Array.isArray(links) ? links[0] : undefined;
  return isJsonObject(first) ? first['href'] ?? null : null;
}

function sumOf(left: JsonValue | undefined, right: JsonValue | undefined): number | null {
  return typeof left === 'number' && typeof right === 'number' ? left + right : null;
}
