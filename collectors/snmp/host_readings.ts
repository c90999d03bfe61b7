import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import { isGapReason } from '../../meters/poll_gap.ts';
import { formatQuantity, type Quantity } from '../../meters/quantity.ts';
import type { Reading } from '../../meters/sample.ts';
import type { PollContext, PollsterMeter } from '../polling/pollster.ts';
import type { AgentSession, Row } from './agent_session.ts';
import { type Device, DEVICE_TABLES, type DeviceTable } from './device_tables.ts';
import { CPU_UTIL, cpuUtil, HOST_METERS, type Objects, PROCESSORS } from './host_meters.ts';

/** What the samples call a host. */
export interface HostNames {
  unitId: string;
  resourceId: string;
  /** `snmp://host:port`, without credentials. */
  resourceUrl: string;
}

/** Everything that {@link hostReadings} can give. */
export const SNMP_METERS: readonly PollsterMeter[] = [
  ...HOST_METERS,
  CPU_UTIL,
  ...DEVICE_TABLES.flatMap(({ meters }) => meters),
].map(({ name, type, unit }) => ({ name, type, unit }));

/**
 * All wanted readings of a host. What its agent does not offer is said to be missing; what ends the
 * conversation ends all.
 *
 * @throws {NephoError} a reason of a gap
 */
export async function hostReadings(
  session: AgentSession,
  names: HostNames,
  context: PollContext,
): Promise<Reading[]> {
  const reader = new HostReader(session, names, context);
  await reader.readHost();
  for (const table of DEVICE_TABLES) await reader.readTable(table);
  return reader.readings;
}

/** These concern one table; after the others the agent need not be asked on. */
const OF_A_TABLE: ReadonlySet<string> = new Set(['too_large', 'paging_loop', 'value_invalid']);

class HostReader {
  readonly readings: Reading[] = [];
  readonly #session: AgentSession;
  readonly #names: HostNames;
  readonly #context: PollContext;
  readonly #metadata: JsonObject;

  constructor(session: AgentSession, names: HostNames, context: PollContext) {
    this.#session = session;
    this.#names = names;
    this.#context = context;
    this.#metadata = { resource_url: names.resourceUrl };
  }

  async readHost(): Promise<void> {
    const wanted = HOST_METERS.filter(({ name }) => this.#context.wants(name));
    const wantsUtil = this.#context.wants(CPU_UTIL.name);
    const processors = wantsUtil ? await this.#processors() : [];
    const fallback = wantsUtil && processors.length === 0 ? CPU_UTIL.oids : [];
    const oids = [...new Set([...wanted.flatMap(({ oids }) => oids), ...fallback])];
    const objects: Objects = oids.length === 0 ? new Map() : await this.#session.get(oids);
    const about = { resource: this.#names.resourceId, metadata: this.#metadata };
    if (wantsUtil) this.#add(CPU_UTIL, () => cpuUtil(processors, objects), about);
    for (const meter of wanted) this.#add(meter, () => meter.read(objects), about);
  }

  async #processors(): Promise<Row<'load'>[]> {
    return [...(await this.#session.table(PROCESSORS.base, PROCESSORS.columns)).values()];
  }

  async readTable(table: DeviceTable): Promise<void> {
    const wanted = table.meters.filter(({ name }) => this.#context.wants(name));
    if (wanted.length === 0) return;
    const devices = await this.#devices(table, wanted);
    const count = new Map<string, number>();
    for (const { name } of devices) count.set(name, (count.get(name) ?? 0) + 1);
    for (const device of devices) {
      const { resourceId } = this.#names;
      const isOne = count.get(device.name) === 1;
      // Ceilometer gives all of a name, as those of tmpfs, the same id.
      const resource = `${resourceId}.${device.name}${isOne ? '' : `.${device.detail}`}`;
      const metadata = { ...device.metadata, ...this.#metadata };
      for (const meter of wanted) {
        this.#add(meter, () => valueOf(device, meter), { resource, metadata });
      }
    }
  }

  async #devices(table: DeviceTable, wanted: readonly PollsterMeter[]): Promise<Device[]> {
    try {
      const devices = await table.read(this.#session);
      if (devices.length === 0) this.#missAll(wanted, noDevices());
      return devices;
    } catch (error) {
      if (!isNephoError(error) || !OF_A_TABLE.has(error.code)) throw error;
      this.#missAll(wanted, error);
      return [];
    }
  }

  #missAll(meters: readonly PollsterMeter[], error: NephoError): void {
    for (const { name } of meters) this.#miss(name, error);
  }

  #miss(meter: string, error: unknown): void {
    if (!isNephoError(error) || !isGapReason(error.code)) throw error;
    this.#context.missing(this.#names.unitId, meter, error.code, error.message);
  }

  #add(
    meter: PollsterMeter,
    read: () => Quantity,
    { resource, metadata }: { resource: string; metadata: JsonObject },
  ): void {
    try {
      this.readings.push({
        meter: meter.name,
        type: meter.type,
        unit: meter.unit,
        volume: formatQuantity(read()),
        resource_id: resource,
        project_id: null,
        user_id: null,
        timestamp: this.#context.now(),
        metadata,
      });
    } catch (error) {
      this.#miss(meter.name, error);
    }
  }
}

function valueOf(device: Device, meter: PollsterMeter): Quantity {
  const value = device.values[meter.name]?.() ?? null;
  if (value !== null) return value;
  throw new NephoError(
    'service_absent',
    `Cannot read '${meter.name}' of '${device.name}': the agent does not offer it`,
  );
}

function noDevices(): NephoError {
  return new NephoError(
    'service_absent',
    'Cannot read a table: the agent has no row of it, or not for this user or community',
  );
}
