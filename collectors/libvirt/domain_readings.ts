import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import { isGapReason } from '../../meters/poll_gap.ts';
import { formatQuantity, type Quantity } from '../../meters/quantity.ts';
import type { Reading } from '../../meters/sample.ts';
import type { PollContext, PollsterMeter } from '../polling/pollster.ts';
import {
  type DeviceMeter,
  type DomainState,
  FLAVOR_METER,
  PER_DISK_METERS,
  PER_INSTANCE_METERS,
  PER_NIC_METERS,
} from './domain_meters.ts';
import { instanceMetadata, nicMetadata } from './instance_metadata.ts';

/** virDomainState: one that is shut off has no counters, which is no gap. */
const SHUT_OFF = 5n;

/** Everything that {@link domainReadings} can give. */
export const DOMAIN_METERS: readonly PollsterMeter[] = [
  ...PER_INSTANCE_METERS,
  FLAVOR_METER,
  ...PER_DISK_METERS,
  ...PER_NIC_METERS,
].map(({ name, type, unit }) => ({ name, type, unit }));

/**
 * All readings of a domain, as of one call of `domstats`. What libvirt does not say of a domain that runs
 * is said to be missing.
 *
 * @param readAt when libvirt was asked: canonical UTC timestamp
 * @param host what Nova calls the compute host
 * @throws {NephoError} `service_absent`, `value_invalid`: libvirt does not say the domain's state
 */
export function domainReadings(
  state: DomainState,
  context: PollContext,
  { readAt, host }: { readAt: string; host: string },
): Reading[] {
  return new DomainReader(state, context, { readAt, host }).read();
}

class DomainReader {
  readonly #state: DomainState;
  readonly #context: PollContext;
  readonly #readAt: string;
  readonly #power: bigint;
  readonly #metadata: JsonObject;
  readonly #readings: Reading[] = [];

  constructor(
    state: DomainState,
    context: PollContext,
    { readAt, host }: { readAt: string; host: string },
  ) {
    this.#state = state;
    this.#context = context;
    this.#readAt = readAt;
    this.#power = state.stats.integer('state.state');
    this.#metadata = instanceMetadata(state.description, host, Number(this.#power));
  }

  read(): Reading[] {
    this.#readInstance();
    if (this.#power === SHUT_OFF) return this.#readings;
    this.#readDisks();
    this.#readNics();
    return this.#readings;
  }

  #readInstance(): void {
    const { uuid, nova } = this.#state.description;
    for (const meter of PER_INSTANCE_METERS) {
      if (meter.always !== true && this.#power === SHUT_OFF) continue;
      const metadata = meter.name === 'cpu' ? this.#cpuMetadata() : this.#metadata;
      this.#add(meter, () => meter.read(this.#state), { resource: uuid, metadata });
    }
    if (nova === null) return;
    const meter = { ...FLAVOR_METER, name: `instance:${nova.flavor.name}` };
    const one = { unscaled: 1n, scale: 0 };
    this.#add(meter, () => one, { resource: uuid, metadata: this.#metadata });
  }

  #cpuMetadata(): JsonObject {
    const { stats } = this.#state;
    const number = stats.has('vcpu.current') ? Number(stats.integer('vcpu.current')) : null;
    return { ...this.#metadata, cpu_number: number };
  }

  #readDisks(): void {
    const { uuid, disks } = this.#state.description;
    const places = this.#state.stats.devices('block');
    for (const name of disks) {
      const metadata = { ...this.#metadata, disk_name: name };
      this.#readDevice(PER_DISK_METERS, places.get(name), {
        resource: `${uuid}-${name}`,
        metadata,
      });
    }
  }

  #readNics(): void {
    const { uuid, name, nics } = this.#state.description;
    const places = this.#state.stats.devices('net');
    for (const nic of nics) {
      const metadata = { ...this.#metadata, ...nicMetadata(nic) };
      this.#readDevice(PER_NIC_METERS, places.get(nic.name), {
        resource: nic.filter ?? `${name}-${uuid}-${nic.name}`,
        metadata,
      });
    }
  }

  #readDevice(
    meters: readonly DeviceMeter[],
    place: string | undefined,
    about: { resource: string; metadata: JsonObject },
  ): void {
    for (const meter of meters) {
      this.#add(meter, () => {
        if (place !== undefined) return meter.read(this.#state.stats, place);
        throw new NephoError(
          'service_absent',
          `Cannot read '${meter.name}' of '${about.resource}': libvirt does not count the device`,
        );
      }, about);
    }
  }

  #add(
    meter: PollsterMeter,
    read: () => Quantity,
    { resource, metadata }: { resource: string; metadata: JsonObject },
  ): void {
    if (!this.#context.wants(meter.name)) return;
    const { uuid, nova } = this.#state.description;
    try {
      this.#readings.push({
        meter: meter.name,
        type: meter.type,
        unit: meter.unit,
        volume: formatQuantity(read()),
        resource_id: resource,
        project_id: nova?.projectId ?? null,
        user_id: nova?.userId ?? null,
        timestamp: this.#readAt,
        metadata,
      });
    } catch (error) {
      if (!isNephoError(error) || !isGapReason(error.code)) throw error;
      this.#context.missing(uuid, meter.name, error.code, error.message);
    }
  }
}
