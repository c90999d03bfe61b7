import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { addQuantities, formatQuantity, parseQuantity } from '../../meters/quantity.ts';
import type { Reading } from '../../meters/sample.ts';
import type { PollContext, PollsterMeter } from '../polling/pollster.ts';
import { unreadable } from './json_answer.ts';
import { readNumber } from './json_number.ts';
import { memoryUsed } from './nova_memory.ts';
import type { ListedServer } from './nova_server.ts';

/** A meter of a device, and the field of Nova's answer that it stands in. */
interface Counter extends PollsterMeter {
  field: string;
  /** True if only some drivers have it: none is no gap. */
  optional?: true;
}

const DISK_COUNTERS: readonly Counter[] = ['read', 'write'].flatMap((way) => [
  cumulative(`disk.device.${way}.bytes`, 'B', `${way}_bytes`),
  cumulative(`disk.device.${way}.requests`, 'request', `${way}_requests`),
]);

const NIC_COUNTERS: readonly Counter[] = [['incoming', 'rx'], ['outgoing', 'tx']]
  .flatMap(([way, side]): Counter[] => [
    cumulative(`network.${way}.bytes`, 'B', `${side}_octets`),
    cumulative(`network.${way}.packets`, 'packet', `${side}_packets`),
    cumulative(`network.${way}.packets.drop`, 'packet', `${side}_drop`),
    cumulative(`network.${way}.packets.error`, 'packet', `${side}_errors`),
    {
      name: `network.${way}.bytes.rate`,
      type: 'gauge',
      unit: 'B/s',
      field: `${side}_rate`,
      optional: true,
    },
  ]);

const CPU: PollsterMeter = { name: 'cpu', type: 'cumulative', unit: 'ns' };
const MEMORY_USAGE: PollsterMeter = { name: 'memory.usage', type: 'gauge', unit: 'MiB' };
/** The sums over a server's disks, as Ceilometer had them to Rocky. */
const DISK_SUMS = DISK_COUNTERS.map((counter) => ({
  ...counter,
  name: counter.name.replace('disk.device.', 'disk.'),
}));

export const DIAGNOSTICS_METERS: readonly PollsterMeter[] = [
  CPU,
  MEMORY_USAGE,
  ...[...DISK_SUMS, ...DISK_COUNTERS, ...NIC_COUNTERS]
    .map(({ name, type, unit }) => ({ name, type, unit })),
];

/**
 * The readings of one answer to `GET /servers/{id}/diagnostics` of 2.48.
 *
 * @throws {NephoError} `parse_error` if its lists are none
 */
export function diagnosticsReadings(
  unitId: string,
  server: ListedServer,
  { diagnostics, context }: { diagnostics: JsonObject; context: PollContext },
): Reading[] {
  const cpus = detailsOf(diagnostics, 'cpu_details');
  const disks = detailsOf(diagnostics, 'disk_details');
  const nics = detailsOf(diagnostics, 'nic_details');
  const reader = new Reader(unitId, server, context);
  const whole = { ...server.metadata, cpu_number: cpus.length };
  reader.sum(CPU, cpus.map(({ time }) => time), whole);
  reader.memory(memoryUsed(diagnostics, server.item), whole);
  for (const sum of DISK_SUMS) {
    if (disks.length > 0) reader.sum(sum, disks.map((disk) => disk[sum.field]), whole);
  }
  disks.forEach((disk, place) => {
    const name = diskName(server.item, place);
    const metadata = { ...server.metadata, disk_name: name };
    reader.device(DISK_COUNTERS, disk, { id: `${unitId}-${name}`, metadata });
  });
  nics.forEach((nic, place) => {
    const name = nicName(nic, place, nics);
    const metadata = { ...server.metadata, ...nicMetadata(nic, name) };
    const domain = server.item['OS-EXT-SRV-ATTR:instance_name'];
    const prefix = typeof domain === 'string' && domain !== '' ? `${domain}-` : '';
    reader.device(NIC_COUNTERS, nic, { id: `${prefix}${unitId}-${name}`, metadata });
  });
  return reader.readings;
}

/** Makes readings of numbers, and says which are missing. */
class Reader {
  readonly readings: Reading[] = [];
  readonly #unitId: string;
  readonly #context: PollContext;
  readonly #projectId: string | null;
  readonly #userId: string | null;
  /** Nova asks the host while we wait: the values are of now. */
  readonly #readAt: string;

  constructor(unitId: string, { item }: ListedServer, context: PollContext) {
    this.#unitId = unitId;
    this.#context = context;
    this.#projectId = textOf(item['tenant_id']);
    this.#userId = textOf(item['user_id']);
    this.#readAt = context.now();
  }

  device(
    counters: readonly Counter[],
    device: JsonObject,
    { id, metadata }: { id: string; metadata: JsonObject },
  ): void {
    for (const counter of counters) {
      if (!this.#context.wants(counter.name)) continue;
      const value = device[counter.field];
      if (counter.optional === true && (value === null || value === undefined)) continue;
      const volume = this.#read(counter, value);
      if (volume !== null) this.#add(counter, volume, metadata, id);
    }
  }

  sum(
    meter: PollsterMeter,
    values: readonly (JsonValue | undefined)[],
    metadata: JsonObject,
  ): void {
    if (!this.#context.wants(meter.name)) return;
    if (values.length === 0) this.#missing(meter, undefined);
    const read = values.map((value) => this.#read(meter, value));
    const volumes = read.filter((volume) => volume !== null);
    if (volumes.length < values.length || volumes.length === 0) return;
    this.#add(meter, volumes.reduce(added), metadata);
  }

  memory(volume: string | null, metadata: JsonObject): void {
    if (!this.#context.wants(MEMORY_USAGE.name)) return;
    if (volume !== null) return this.#add(MEMORY_USAGE, volume, metadata);
    const detail = `Cannot read 'memory.usage': the unit of Nova's number cannot be told`;
    this.#context.missing(this.#unitId, MEMORY_USAGE.name, 'value_invalid', detail);
  }

  #add(
    meter: PollsterMeter,
    volume: string,
    metadata: JsonObject,
    resourceId = this.#unitId,
  ): void {
    this.readings.push({
      meter: meter.name,
      type: meter.type,
      unit: meter.unit,
      volume,
      resource_id: resourceId,
      project_id: this.#projectId,
      user_id: this.#userId,
      timestamp: this.#readAt,
      metadata,
    });
  }

  #read(meter: PollsterMeter, value: JsonValue | undefined): string | null {
    const number = readNumber(value);
    if (number === null || number.volume.startsWith('-')) {
      this.#missing(meter, value);
      return null;
    }
    if (number.wasText) this.#context.remark('number_as_text', this.#unitId, meter.name);
    return number.volume;
  }

  #missing(meter: PollsterMeter, value: JsonValue | undefined): void {
    const none = value === null || value === undefined;
    this.#context.missing(
      this.#unitId,
      meter.name,
      none ? 'service_absent' : 'value_invalid',
      none
        ? `Cannot read '${meter.name}': the driver of the server's host does not tell it`
        : `Cannot read '${meter.name}': what Nova gives is no number that can be`,
    );
  }
}

function detailsOf(diagnostics: JsonObject, key: string): JsonObject[] {
  const list = diagnostics[key];
  if (Array.isArray(list) && list.every((each) => isJsonObject(each))) return list;
  throw unreadable('/diagnostics', `there is no list '${key}'; Nova must know microversion 2.48`);
}

/**
 * Nova does not name the disks. The first of a server that was made of an image is its root; the
 * others have but their place, which moves up when a disk before them is detached.
 */
function diskName(server: JsonObject, place: number): string {
  const root = server['OS-EXT-SRV-ATTR:root_device_name'];
  const isRoot = place === 0 && isJsonObject(server['image']);
  const device = isRoot && typeof root === 'string' ? root.replace(/^\/dev\//, '') : '';
  return /^[a-z0-9]+$/.test(device) ? device : `disk${place}`;
}

/** The MAC address without colons: the only thing of a NIC that Nova names. */
function nicName(nic: JsonObject, place: number, nics: readonly JsonObject[]): string {
  const mac = nic['mac_address'];
  const isOwn = nics.filter((each) => each['mac_address'] === mac).length === 1;
  return typeof mac === 'string' && /^[0-9a-f:]{17}$/i.test(mac) && isOwn
    ? mac.toLowerCase().replaceAll(':', '')
    : `nic${place}`;
}

function nicMetadata(nic: JsonObject, name: string): JsonObject {
  return { mac: nic['mac_address'] ?? null, vnic_name: name, fref: null, parameters: {} };
}

function cumulative(name: string, unit: string, field: string): Counter {
  return { name, type: 'cumulative', unit, field };
}

function added(left: string, right: string): string {
  return formatQuantity(addQuantities(parseQuantity(left), parseQuantity(right)));
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
