import { addQuantities, divideQuantities, type Quantity } from '../../meters/quantity.ts';
import { NephoError } from '../../meters/errors.ts';
import type { PollsterMeter } from '../polling/pollster.ts';
import type { DomainDescription } from './domain_description.ts';
import type { DomainStats } from './domstats.ts';

/** What one domain gave in one cycle. */
export interface DomainState {
  stats: DomainStats;
  description: DomainDescription;
}

/** The options of `virsh domstats` that bring a group of statistics. */
export type StatsGroup = 'cpu-total' | 'vcpu' | 'balloon' | 'block' | 'interface' | 'perf';

interface Meter extends PollsterMeter {
  /** The groups that its value is read from. */
  readonly groups: readonly StatsGroup[];
}

export interface InstanceMeter extends Meter {
  /** True if a domain that is shut off has it too. */
  readonly always?: true;
  /** @throws {NephoError} `service_absent`, `value_invalid` */
  read(state: DomainState): Quantity;
}

export interface DeviceMeter extends Meter {
  /** @param place of the device in the statistics, as `block.0`. @throws as {@link InstanceMeter} */
  read(stats: DomainStats, place: string): Quantity;
}

const KIB_IN_MIB: Quantity = { unscaled: 1_024n, scale: 0 };
/** Decimals of a KiB in MiB: 1/1024 is exact with ten. */
const MIB_SCALE = 10;

/** Each per disk, and its sum per instance (as Ceilometer had it to Rocky) under the second name. */
const DISK_METERS: readonly (DeviceMeter & { sum: string | null })[] = [
  disk('read.requests', 'cumulative', 'request', 'rd.reqs'),
  disk('write.requests', 'cumulative', 'request', 'wr.reqs'),
  disk('read.bytes', 'cumulative', 'B', 'rd.bytes'),
  disk('write.bytes', 'cumulative', 'B', 'wr.bytes'),
  { ...disk('read.latency', 'cumulative', 'ns', 'rd.times'), sum: null },
  { ...disk('write.latency', 'cumulative', 'ns', 'wr.times'), sum: null },
  { ...disk('capacity', 'gauge', 'B', 'capacity'), read: diskCapacity },
  disk('allocation', 'gauge', 'B', 'allocation'),
  disk('usage', 'gauge', 'B', 'physical'),
];

export const PER_DISK_METERS: readonly DeviceMeter[] = DISK_METERS;

export const PER_NIC_METERS: readonly DeviceMeter[] = [
  nic('incoming.bytes', 'B', 'rx.bytes'),
  nic('incoming.packets', 'packet', 'rx.pkts'),
  nic('incoming.packets.drop', 'packet', 'rx.drop'),
  nic('incoming.packets.error', 'packet', 'rx.errs'),
  nic('outgoing.bytes', 'B', 'tx.bytes'),
  nic('outgoing.packets', 'packet', 'tx.pkts'),
  nic('outgoing.packets.drop', 'packet', 'tx.drop'),
  nic('outgoing.packets.error', 'packet', 'tx.errs'),
];

export const PER_INSTANCE_METERS: readonly InstanceMeter[] = [
  described('instance', 'instance', () => 1),
  described('vcpus', 'vcpu', ({ nova, vcpus }) => nova?.flavor.vcpus ?? vcpus),
  described('memory', 'MiB', ({ nova }) => nova?.flavor.ram ?? null, domainMemory),
  described('disk.root.size', 'GiB', ({ nova }) => nova?.flavor.disk ?? null),
  described('disk.ephemeral.size', 'GiB', ({ nova }) => nova?.flavor.ephemeral ?? null),
  {
    name: 'power.state',
    type: 'gauge',
    unit: 'state',
    groups: [],
    always: true,
    read: ({ stats }) => stats.quantity('state.state'),
  },
  { name: 'cpu', type: 'cumulative', unit: 'ns', groups: ['cpu-total', 'vcpu'], read: cpuTime },
  balloon('memory.usage', 'gauge', memoryUsed),
  balloon('memory.resident', 'gauge', (stats) => stats.quantity('balloon.rss')),
  balloon('memory.available', 'gauge', (stats) => stats.quantity('balloon.available')),
  balloon('memory.swap.in', 'cumulative', (stats) => stats.quantity('balloon.swap_in')),
  balloon('memory.swap.out', 'cumulative', (stats) => stats.quantity('balloon.swap_out')),
  perf('perf.cpu.cycles', 'cycle', 'cpu_cycles'),
  perf('perf.instructions', 'instruction', 'instructions'),
  perf('perf.cache.references', 'count', 'cache_references'),
  perf('perf.cache.misses', 'count', 'cache_misses'),
  perf('memory.bandwidth.total', 'B/s', 'mbmt'),
  perf('memory.bandwidth.local', 'B/s', 'mbml'),
  perf('cpu_l3_cache', 'B', 'cmt'),
  ...DISK_METERS.flatMap((meter) =>
    meter.sum === null ? [] : [{
      ...meter,
      name: meter.sum,
      read: ({ stats, description }: DomainState) => sumOfDisks(meter, stats, description),
    }]
  ),
];

/** A meter of its own for each flavor, `instance:m1.small`, as Ceilometer had it to Kilo. */
export const FLAVOR_METER: PollsterMeter = { name: 'instance:*', type: 'gauge', unit: 'instance' };

/** What `domstats` is asked for, so that a monitor is not asked what nobody wants. */
export function groupsFor(wants: (meter: string) => boolean): Set<StatsGroup> {
  return new Set(
    [...PER_INSTANCE_METERS, ...PER_DISK_METERS, ...PER_NIC_METERS]
      .filter(({ name }) => wants(name)).flatMap(({ groups }) => groups),
  );
}

function described(
  name: string,
  unit: string,
  count: (description: DomainDescription) => number | null,
  otherwise?: (description: DomainDescription) => Quantity,
): InstanceMeter {
  return {
    name,
    type: 'gauge',
    unit,
    groups: [],
    always: true,
    read: ({ description }) => {
      const value = count(description);
      if (value !== null) return { unscaled: BigInt(value), scale: 0 };
      if (otherwise !== undefined) return otherwise(description);
      throw absent(name, 'the domain has no flavor');
    },
  };
}

function domainMemory({ memoryKib }: DomainDescription): Quantity {
  if (memoryKib === null) throw absent('memory', 'the domain says no size');
  return inMib({ unscaled: BigInt(memoryKib), scale: 0 });
}

function balloon(
  name: string,
  type: PollsterMeter['type'],
  kib: (stats: DomainStats) => Quantity,
): InstanceMeter {
  return { name, type, unit: 'MiB', groups: ['balloon'], read: ({ stats }) => inMib(kib(stats)) };
}

function perf(name: string, unit: string, event: string): InstanceMeter {
  const read = ({ stats }: DomainState) => stats.quantity(`perf.${event}`);
  return { name, type: 'gauge', unit, groups: ['perf'], read };
}

function disk(name: string, type: PollsterMeter['type'], unit: string, key: string) {
  return {
    name: `disk.device.${name}`,
    type,
    unit,
    groups: ['block'] as const,
    sum: `disk.${name}`,
    read: (stats: DomainStats, place: string) => stats.quantity(`${place}.${key}`),
  };
}

function nic(name: string, unit: string, key: string): DeviceMeter {
  return {
    name: `network.${name}`,
    type: 'cumulative',
    unit,
    groups: ['interface'],
    read: (stats, place) => stats.quantity(`${place}.${key}`),
  };
}

/** A mounted CD-ROM's capacity is cut to a multiple of 4 KiB, its file's size is not. */
function diskCapacity(stats: DomainStats, place: string): Quantity {
  const capacity = stats.integer(`${place}.capacity`);
  const physical = stats.has(`${place}.physical`) ? stats.integer(`${place}.physical`) : 0n;
  return { unscaled: physical > capacity ? physical : capacity, scale: 0 };
}

/**
 * Ceilometer's rule: what the virtual CPUs used and waited for, if all of them say so, else the time of
 * the whole process group. A domain keeps to one of both, so the counter does not jump.
 */
function cpuTime({ stats }: DomainState): Quantity {
  if (!stats.has('vcpu.current') || !stats.has('vcpu.maximum')) return stats.quantity('cpu.time');
  const maximum = stats.integer('vcpu.maximum');
  let counted = 0n;
  let time = 0n;
  // Those that are not plugged in leave holes.
  for (let index = 0n; index < maximum && index < 4_096n; index += 1n) {
    if (!stats.has(`vcpu.${index}.time`) || !stats.has(`vcpu.${index}.wait`)) continue;
    time += stats.integer(`vcpu.${index}.time`) + stats.integer(`vcpu.${index}.wait`);
    counted += 1n;
  }
  const isWhole = counted > 0n && counted === stats.integer('vcpu.current');
  return isWhole ? { unscaled: time, scale: 0 } : stats.quantity('cpu.time');
}

/** KiB: what the guest has less what it could give back, by the better of two figures for the latter. */
function memoryUsed(stats: DomainStats): Quantity {
  const spare = stats.has('balloon.usable') ? 'balloon.usable' : 'balloon.unused';
  return { unscaled: stats.integer('balloon.available') - stats.integer(spare), scale: 0 };
}

function sumOfDisks(
  meter: DeviceMeter,
  stats: DomainStats,
  description: DomainDescription,
): Quantity {
  const places = stats.devices('block');
  return description.disks.map((name) => {
    const place = places.get(name);
    if (place === undefined) throw absent(meter.name, `libvirt counts no disk '${name}'`);
    return meter.read(stats, place);
  }).reduce(addQuantities, { unscaled: 0n, scale: 0 });
}

function inMib(kib: Quantity): Quantity {
  return divideQuantities(kib, KIB_IN_MIB, MIB_SCALE);
}

function absent(meter: string, why: string): NephoError {
  return new NephoError('service_absent', `Cannot read '${meter}': ${why}`);
}
