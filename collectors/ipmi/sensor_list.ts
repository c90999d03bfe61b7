import { NephoError } from '../../meters/errors.ts';
import { formatQuantity, parseQuantity } from '../../meters/quantity.ts';

/** A sensor of a BMC as `ipmitool sdr -v` describes it. */
export interface IpmiSensor {
  /** With its number, as `System Fan 1 (0x30)`. */
  id: string;
  /** As `7.1 (System Board)`; empty if it has none. */
  entity: string;
  /** As `Temperature`, `Fan`, `Voltage`, `Current`, `Power Supply`. */
  type: string;
  /** True of one that has states instead of a number. */
  isDiscrete: boolean;
  /** As `ok`, `Lower Critical`; empty if it has none. */
  status: string;
  reading: SensorReading;
}

export type SensorReading =
  | { kind: 'number'; volume: string; unit: string }
  /** Switched off, or for a slot with nothing in it. */
  | { kind: 'disabled' }
  /** What ipmitool says instead of a number; empty if nothing. */
  | { kind: 'none'; said: string };

/** Sensors of one BMC. */
export const MAX_SENSORS = 2_000;
const MAX_TEXT = 120;
const READING = /^(-?\d{1,12}(?:\.\d{1,12})?)\s+(?:\(\+\/- [\d.]+\)\s+)?(\S.*)$/;
const TYPE = /^Sensor Type \((\w+)\)$/;

/**
 * The sensors with a number, or that should have one, in the order of the BMC.
 *
 * @throws {NephoError} `too_large`
 */
export function parseSensorList(text: string): IpmiSensor[] {
  const sensors: IpmiSensor[] = [];
  for (const fields of blocksOf(text)) {
    const sensor = sensorOf(fields);
    if (sensor === null) continue;
    sensors.push(sensor);
    if (sensors.length > MAX_SENSORS) {
      throw new NephoError('too_large', `Cannot read more than ${MAX_SENSORS} sensors of a BMC`);
    }
  }
  return sensors;
}

/** The fields of each sensor. A new one begins with its id, whatever stands between. */
function* blocksOf(text: string): Iterable<Map<string, string>> {
  let fields: Map<string, string> | null = null;
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const key = line.slice(0, colon).trim();
    if (key === 'Sensor ID') {
      if (fields !== null) yield fields;
      fields = new Map();
    }
    if (fields !== null && !fields.has(key)) {
      fields.set(key, line.slice(colon + 1).trim().slice(0, MAX_TEXT));
    }
  }
  if (fields !== null) yield fields;
}

function sensorOf(fields: ReadonlyMap<string, string>): IpmiSensor | null {
  const id = fields.get('Sensor ID') ?? '';
  const typeKey = [...fields.keys()].find((key) => TYPE.test(key));
  if (id === '' || typeKey === undefined) return null;
  return {
    id,
    entity: fields.get('Entity ID') ?? '',
    // Newer versions write the number of the type behind it.
    type: (fields.get(typeKey) ?? '').replace(/\s*\(0x[0-9a-fA-F]+\)$/, ''),
    isDiscrete: TYPE.exec(typeKey)?.[1] === 'Discrete',
    status: fields.get('Status') ?? '',
    reading: readingOf(fields.get('Sensor Reading') ?? ''),
  };
}

function readingOf(text: string): SensorReading {
  const [, number, unit] = READING.exec(text) ?? [];
  if (number !== undefined && unit !== undefined) {
    return { kind: 'number', volume: formatQuantity(parseQuantity(number)), unit };
  }
  return /^(?:disabled|not present)$/i.test(text)
    ? { kind: 'disabled' }
    : { kind: 'none', said: text };
}

/**
 * What `ipmitool dcmi power reading` measured last, in W; null if the BMC measures nothing now.
 *
 * @throws {NephoError} `parse_error`
 */
export function parsePowerReading(text: string): string | null {
  if (/power reading state is:\s*deactivated/i.test(text)) return null;
  const [, watts] = /Instantaneous power reading:\s*(\d{1,9}) Watts/i.exec(text) ?? [];
  if (watts !== undefined) return formatQuantity(parseQuantity(watts));
  throw new NephoError(
    'parse_error',
    `Cannot read a power reading of DCMI from '${text.trim().slice(0, 80)}'`,
  );
}
