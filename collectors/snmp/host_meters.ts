import { NephoError } from '../../meters/errors.ts';
import {
  addQuantities,
  divideQuantities,
  type Quantity,
  subtractQuantities,
} from '../../meters/quantity.ts';
import type { PollsterMeter } from '../polling/pollster.ts';
import type { Row } from './agent_session.ts';
import type { Varbind } from './net_snmp.ts';
import { decimalOf, quantityOf } from './snmp_value.ts';

/** The objects of an agent that are there, by their names. */
export type Objects = ReadonlyMap<string, Varbind>;

/** A meter of the host itself. */
export interface HostMeter extends PollsterMeter {
  /** What it may be read from. */
  readonly oids: readonly string[];
  /** @throws {NephoError} `service_absent` if the agent does not offer it, `value_invalid` */
  read(objects: Objects): Quantity;
}

const UCD = '1.3.6.1.4.1.2021';
const MEMORY = `${UCD}.4`;
const STATS = `${UCD}.11`;
const IP = '1.3.6.1.2.1.4';
/** Of IP version 4. */
const IP_STATS = `${IP}.31.1.1`;

/** hrProcessorEntry: the share of the last minute in which a processor was not idle. */
export const PROCESSORS = { base: '1.3.6.1.2.1.25.3.3.1', columns: { load: 2 } } as const;
/** Decimals of the mean over the processors. */
const UTIL_SCALE = 6;
const HUNDRED: Quantity = { unscaled: 100n, scale: 0 };

export const HOST_METERS: readonly HostMeter[] = [
  load('1min', 1),
  load('5min', 2),
  load('15min', 3),
  ...rawCpu(['user', 'nice', 'system', 'idle', 'wait', 'kernel', 'interrupt']),
  // Those with more bits come first: the others stop at 2 TiB.
  scalar('hardware.memory.total', 'gauge', 'KB', [`${MEMORY}.20.0`, `${MEMORY}.5.0`]),
  {
    name: 'hardware.memory.used',
    type: 'gauge',
    unit: 'KB',
    oids: [`${MEMORY}.20.0`, `${MEMORY}.5.0`, `${MEMORY}.21.0`, `${MEMORY}.6.0`],
    read: (objects) =>
      subtractQuantities(
        first(objects, [`${MEMORY}.20.0`, `${MEMORY}.5.0`]),
        first(objects, [`${MEMORY}.21.0`, `${MEMORY}.6.0`]),
      ),
  },
  scalar('hardware.memory.buffer', 'gauge', 'KB', [`${MEMORY}.25.0`, `${MEMORY}.14.0`]),
  scalar('hardware.memory.cached', 'gauge', 'KB', [`${MEMORY}.26.0`, `${MEMORY}.15.0`]),
  scalar('hardware.memory.swap.total', 'gauge', 'KB', [`${MEMORY}.18.0`, `${MEMORY}.3.0`]),
  scalar('hardware.memory.swap.avail', 'gauge', 'KB', [`${MEMORY}.19.0`, `${MEMORY}.4.0`]),
  scalar('hardware.network.ip.incoming.datagrams', 'cumulative', 'datagrams', [
    `${IP_STATS}.4.1`,
    `${IP}.3.0`,
  ]),
  scalar('hardware.network.ip.outgoing.datagrams', 'cumulative', 'datagrams', [
    `${IP_STATS}.21.1`,
    `${IP}.10.0`,
  ]),
  scalar('hardware.system_stats.cpu.idle', 'gauge', '%', [`${STATS}.11.0`]),
  scalar('hardware.system_stats.io.outgoing.blocks', 'cumulative', 'blocks', [`${STATS}.57.0`]),
  scalar('hardware.system_stats.io.incoming.blocks', 'cumulative', 'blocks', [`${STATS}.58.0`]),
];

export const CPU_UTIL: PollsterMeter & { oids: readonly string[] } = {
  name: 'hardware.cpu.util',
  type: 'gauge',
  unit: '%',
  oids: [`${STATS}.11.0`],
};

/**
 * How busy the processors are, in the mean of their last minutes; what is not idle where the agent does not
 * know each processor.
 *
 * @throws {NephoError} `service_absent`, `value_invalid`
 */
export function cpuUtil(processors: readonly Row<'load'>[], objects: Objects): Quantity {
  const loads = processors.flatMap(({ load }) => load === undefined ? [] : [quantityOf(load)]);
  if (loads.length === 0) return subtractQuantities(HUNDRED, first(objects, CPU_UTIL.oids));
  const sum = loads.reduce(addQuantities);
  return divideQuantities(sum, { unscaled: BigInt(loads.length), scale: 0 }, UTIL_SCALE);
}

function load(minutes: string, index: number): HostMeter {
  const oid = `${UCD}.10.1.3.${index}`;
  return {
    name: `hardware.cpu.load.${minutes}`,
    type: 'gauge',
    unit: 'process',
    oids: [oid],
    read: (objects) => decimalOf(there(objects, oid)),
  };
}

/** Ceilometer calls these counters gauges. */
function rawCpu(kinds: readonly string[]): HostMeter[] {
  return kinds.map((kind, index) =>
    scalar(`hardware.cpu.${kind}`, 'gauge', 'tick', [`${STATS}.${50 + index}.0`])
  );
}

function scalar(
  name: string,
  type: PollsterMeter['type'],
  unit: string,
  oids: readonly string[],
): HostMeter {
  return { name, type, unit, oids, read: (objects) => first(objects, oids) };
}

/** The value of the first that is there. */
function first(objects: Objects, oids: readonly string[]): Quantity {
  const found = oids.find((oid) => objects.has(oid)) ?? oids.at(-1) ?? '';
  return quantityOf(there(objects, found));
}

function there(objects: Objects, oid: string): Varbind {
  const varbind = objects.get(oid);
  if (varbind !== undefined) return varbind;
  throw new NephoError(
    'service_absent',
    `Cannot read '${oid}': the agent does not offer it, or not to this user or community`,
    { context: { oid } },
  );
}
