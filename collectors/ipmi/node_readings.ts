import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import { isGapReason } from '../../meters/poll_gap.ts';
import type { Reading } from '../../meters/sample.ts';
import type { PollContext, PollsterMeter } from '../polling/pollster.ts';
import type { Bmc, Ipmitool } from './ipmitool.ts';
import { type IpmiSensor, parsePowerReading, parseSensorList } from './sensor_list.ts';

/** By the type of sensor. What is measured in watts is power, whatever the type: Dell's has type Current. */
const SENSOR_METERS: Readonly<Record<string, PollsterMeter>> = {
  Fan: { name: 'hardware.ipmi.fan', type: 'gauge', unit: 'RPM' },
  Temperature: { name: 'hardware.ipmi.temperature', type: 'gauge', unit: 'C' },
  Current: { name: 'hardware.ipmi.current', type: 'gauge', unit: 'A' },
  Voltage: { name: 'hardware.ipmi.voltage', type: 'gauge', unit: 'V' },
};
const POWER: PollsterMeter = { name: 'hardware.ipmi.power', type: 'gauge', unit: 'W' };
const NODE_POWER: PollsterMeter = { name: 'hardware.ipmi.node.power', type: 'gauge', unit: 'W' };

export const IPMI_METERS: readonly PollsterMeter[] = [
  ...Object.values(SENSOR_METERS),
  POWER,
  NODE_POWER,
];

/** ipmitool's words for units, and Ceilometer's. The others stay as they are. */
const UNITS: Readonly<Record<string, string>> = {
  'degrees C': 'C',
  'degrees F': 'F',
  'degrees K': 'K',
  Volts: 'V',
  Amps: 'A',
  Watts: 'W',
  RPM: 'RPM',
  percent: '%',
};

/**
 * All wanted readings of a BMC. The sensors stand or fall together; its power, which not all offer, may be
 * missing alone.
 *
 * @throws {NephoError} a reason of a gap
 */
export async function nodeReadings(
  tool: Ipmitool,
  bmc: Bmc,
  context: PollContext,
): Promise<Reading[]> {
  const wantsSensors = [...Object.values(SENSOR_METERS), POWER]
    .some(({ name }) => context.wants(name));
  const sensors = wantsSensors ? await sensorReadings(tool, bmc, context) : [];
  const power = context.wants(NODE_POWER.name) ? await powerReadings(tool, bmc, context) : [];
  return [...sensors, ...power];
}

async function sensorReadings(
  tool: Ipmitool,
  bmc: Bmc,
  context: PollContext,
): Promise<Reading[]> {
  const { text, isWhole } = await tool.sensors(bmc, context.signal);
  const readAt = context.now();
  const sensors = parseSensorList(text);
  const count = new Map<string, number>();
  for (const { id } of sensors) count.set(id, (count.get(id) ?? 0) + 1);
  const readings = sensors.flatMap((sensor) => {
    const meter = meterOf(sensor);
    if (meter === null || !context.wants(meter.name)) return [];
    const value = valueOf(sensor, meter, { bmc, context });
    if (value === null) return [];
    const id = count.get(sensor.id) === 1 ? sensor.id : `${sensor.id} ${sensor.entity}`;
    const resource = `${bmc.name}-${id.toLowerCase().replaceAll(' ', '_')}`;
    const metadata = {
      node: bmc.name,
      sensor: sensor.id,
      entity: sensor.entity,
      status: sensor.status,
    };
    return [reading({ ...meter, unit: value.unit }, value.volume, { resource, metadata, readAt })];
  });
  if (!isWhole) {
    for (const { name } of [...Object.values(SENSOR_METERS), POWER]) {
      if (!context.wants(name)) continue;
      const detail = 'ipmitool ended with an error: some sensors may be missing';
      context.missing(bmc.name, name, 'command_failed', detail);
    }
  }
  return readings;
}

/** Null of a sensor that is none of ours: one with states, or of the watchdog. */
function meterOf(sensor: IpmiSensor): PollsterMeter | null {
  if (sensor.isDiscrete) return null;
  if (sensor.reading.kind === 'number' && sensor.reading.unit === 'Watts') return POWER;
  return SENSOR_METERS[sensor.type] ?? null;
}

function valueOf(
  { id, reading }: IpmiSensor,
  meter: PollsterMeter,
  { bmc, context }: { bmc: Bmc; context: PollContext },
): { volume: string; unit: string } | null {
  if (reading.kind === 'disabled') return null;
  if (reading.kind === 'none') {
    const said = reading.said === '' ? 'nothing' : `'${reading.said}'`;
    const detail = `Cannot read sensor '${id}': it gives ${said}`;
    context.missing(bmc.name, meter.name, 'service_absent', detail);
    return null;
  }
  // Some boards measure a current in percent and call that unspecified.
  return { volume: reading.volume, unit: UNITS[reading.unit] ?? reading.unit };
}

async function powerReadings(tool: Ipmitool, bmc: Bmc, context: PollContext): Promise<Reading[]> {
  try {
    const watts = parsePowerReading(await tool.powerReading(bmc, context.signal));
    if (watts === null) {
      throw new NephoError(
        'service_absent',
        `Cannot read the power of the BMC of '${bmc.name}': it measures none at present`,
      );
    }
    const about = { resource: bmc.name, metadata: { node: bmc.name }, readAt: context.now() };
    return [reading(NODE_POWER, watts, about)];
  } catch (error) {
    // Wrong credentials are the whole node's matter.
    const isOurs = isNephoError(error) && isGapReason(error.code) && error.code !== 'unauthorised';
    if (!isOurs) throw error;
    context.missing(bmc.name, NODE_POWER.name, error.code, error.message);
    return [];
  }
}

function reading(
  meter: PollsterMeter,
  volume: string,
  { resource, metadata, readAt }: { resource: string; metadata: JsonObject; readAt: string },
): Reading {
  return {
    meter: meter.name,
    type: meter.type,
    unit: meter.unit,
    volume,
    resource_id: resource,
    project_id: null,
    user_id: null,
    timestamp: readAt,
    metadata,
  };
}
