import type { JsonObject } from '../../meters/json.ts';
import {
  addQuantities,
  divideQuantities,
  multiplyQuantities,
  type Quantity,
} from '../../meters/quantity.ts';
import type { PollsterMeter } from '../polling/pollster.ts';
import type { AgentSession, Row } from './agent_session.ts';
import type { Varbind } from './net_snmp.ts';
import { hexOf, integerOf, oidOf, quantityOf, textOf } from './snmp_value.ts';

/** A disk or an interface with what can be read of it. */
export interface Device {
  /** Stands in the resource id behind the host. */
  name: string;
  /** Tells devices of the same name apart. */
  detail: string;
  metadata: JsonObject;
  /** By the meter's name; a value is read when it is wanted. */
  values: Readonly<Record<string, () => Quantity | null>>;
}

/** Meters that are read from the same tables. */
export interface DeviceTable {
  readonly meters: readonly PollsterMeter[];
  /** @throws {NephoError} a reason of a gap */
  read(session: AgentSession): Promise<Device[]>;
}

const UCD = '1.3.6.1.4.1.2021';
const FIXED_DISK = '1.3.6.1.2.1.25.2.1.4';
const KIB: Quantity = { unscaled: 1_024n, scale: 0 };
const HIGH: Quantity = { unscaled: 2n ** 32n, scale: 0 };
/** Decimals of KB: storage is counted in units that are multiples of 512 bytes. */
const KB_SCALE = 3;
/** What ifSpeed says of a faster interface than it can say. */
const FASTEST = 2n ** 32n - 1n;

const fileSystems: DeviceTable = {
  meters: [
    { name: 'hardware.disk.size.total', type: 'gauge', unit: 'KB' },
    { name: 'hardware.disk.size.used', type: 'gauge', unit: 'KB' },
  ],
  read: async (session) => {
    const disks = await readDisks(session);
    return disks.length > 0 ? disks : await readStorage(session);
  },
};

/** dskTable of UCD-SNMP-MIB: what snmpd.conf names. */
async function readDisks(session: AgentSession): Promise<Device[]> {
  const rows = await session.table(`${UCD}.9.1`, {
    path: 2,
    device: 3,
    total: 6,
    used: 8,
    totalLow: 11,
    totalHigh: 12,
    usedLow: 15,
    usedHigh: 16,
  });
  return [...rows.values()].map((row) => {
    const path = textOf(row.path) ?? '';
    const device = textOf(row.device) ?? '';
    return {
      name: device,
      detail: path,
      metadata: { path, device },
      values: {
        'hardware.disk.size.total': () => wide(row.totalHigh, row.totalLow, row.total),
        'hardware.disk.size.used': () => wide(row.usedHigh, row.usedLow, row.used),
      },
    };
  });
}

/** hrStorageTable of HOST-RESOURCES-MIB, the fixed disks among it: for agents without the former. */
async function readStorage(session: AgentSession): Promise<Device[]> {
  const columns = { type: 2, path: 3, unit: 4, size: 5, used: 6 };
  const rows = await session.table('1.3.6.1.2.1.25.2.3.1', columns);
  return [...rows.values()].filter(({ type }) => oidOf(type) === FIXED_DISK).map((row) => {
    const path = textOf(row.path) ?? '';
    const inKb = (count: Varbind | undefined) => {
      if (count === undefined || row.unit === undefined) return null;
      const bytes = multiplyQuantities(quantityOf(count), quantityOf(row.unit));
      return divideQuantities(bytes, KIB, KB_SCALE);
    };
    return {
      name: path,
      detail: path,
      metadata: { path, device: path },
      values: {
        'hardware.disk.size.total': () => inKb(row.size),
        'hardware.disk.size.used': () => inKb(row.used),
      },
    };
  });
}

/** diskIOTable of UCD-DISKIO-MIB. */
const diskTraffic: DeviceTable = {
  meters: [
    { name: 'hardware.disk.read.bytes', type: 'gauge', unit: 'B' },
    { name: 'hardware.disk.write.bytes', type: 'gauge', unit: 'B' },
    { name: 'hardware.disk.read.requests', type: 'gauge', unit: 'requests' },
    { name: 'hardware.disk.write.requests', type: 'gauge', unit: 'requests' },
  ],
  read: async (session) => {
    const rows = await session.table(`${UCD}.13.15.1.1`, {
      device: 2,
      read: 3,
      written: 4,
      reads: 5,
      writes: 6,
      readX: 12,
      writtenX: 13,
    });
    return [...rows].map(([index, row]) => {
      const device = textOf(row.device) ?? '';
      return {
        name: device,
        detail: index,
        metadata: { device },
        values: {
          'hardware.disk.read.bytes': () => either(row.readX, row.read),
          'hardware.disk.write.bytes': () => either(row.writtenX, row.written),
          'hardware.disk.read.requests': () => either(row.reads),
          'hardware.disk.write.requests': () => either(row.writes),
        },
      };
    });
  },
};

/** ifTable and ifXTable of IF-MIB, and the addresses of IP-MIB. */
const interfaces: DeviceTable = {
  meters: [
    { name: 'hardware.network.incoming.bytes', type: 'cumulative', unit: 'B' },
    { name: 'hardware.network.outgoing.bytes', type: 'cumulative', unit: 'B' },
    { name: 'hardware.network.outgoing.errors', type: 'cumulative', unit: 'packet' },
  ],
  read: async (session) => {
    const rows = await session.table('1.3.6.1.2.1.2.2.1', {
      name: 2,
      speed: 5,
      mac: 6,
      incoming: 10,
      outgoing: 16,
      errors: 20,
    });
    const wideRows = await session.table('1.3.6.1.2.1.31.1.1.1', {
      incoming: 6,
      outgoing: 10,
      speed: 15,
    });
    const addresses = await session.table('1.3.6.1.2.1.4.20.1', { index: 2 });
    const ipOf = new Map<string, string>();
    for (const [ip, { index }] of addresses) {
      const key = index === undefined ? '' : integerOf(index).toString();
      if (!ipOf.has(key)) ipOf.set(key, ip);
    }
    return [...rows].map(([index, row]) => {
      const wideRow = wideRows.get(index);
      const name = textOf(row.name) ?? '';
      const ip = ipOf.get(index) ?? '';
      return {
        name,
        detail: index,
        metadata: { name, mac: hexOf(row.mac) ?? '', ip, speed: speedOf(row, wideRow) },
        values: {
          'hardware.network.incoming.bytes': () => either(wideRow?.incoming, row.incoming),
          'hardware.network.outgoing.bytes': () => either(wideRow?.outgoing, row.outgoing),
          'hardware.network.outgoing.errors': () => either(row.errors),
        },
      };
    });
  },
};

export const DEVICE_TABLES: readonly DeviceTable[] = [fileSystems, diskTraffic, interfaces];

/** Bytes a second, as Ceilometer's; null if the agent does not say. */
function speedOf(row: Row<'speed'>, wideRow: Row<'speed'> | undefined): number | null {
  const slow = row.speed === undefined ? null : integerOf(row.speed);
  if (slow !== null && slow < FASTEST) return Number(slow / 8n);
  return wideRow?.speed === undefined ? null : Number(integerOf(wideRow.speed) * 125_000n);
}

/** The value of the first that is there: the one with more bits is named first. */
function either(...varbinds: (Varbind | undefined)[]): Quantity | null {
  const found = varbinds.find((varbind) => varbind !== undefined);
  return found === undefined ? null : quantityOf(found);
}

function wide(
  high: Varbind | undefined,
  low: Varbind | undefined,
  narrow: Varbind | undefined,
): Quantity | null {
  if (high === undefined || low === undefined) return either(narrow);
  return addQuantities(multiplyQuantities(quantityOf(high), HIGH), quantityOf(low));
}
