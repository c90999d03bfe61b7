import { readVolume } from '../../meters/definition_volume.ts';
import { errorMessage, isNephoError, NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { MAX_ID_LENGTH } from '../../meters/limits.ts';
import type { Reading } from '../../meters/sample.ts';
import { isStorableText } from '../../meters/storable_text.ts';
import { parseTimestamp } from '../../meters/timestamp.ts';
import type { Discovery, PollContext, Pollster, PollsterMeter, Unit } from '../polling/pollster.ts';
import { checkMetadata } from '../polling/storable_metadata.ts';
import { fieldsOf, shown } from './module_shapes.ts';

/** Readings of one unit, and units of one page. */
const MAX_READINGS = 10_000;
const MAX_UNITS = 100_000;
const MAX_ID = 255;

/**
 * A discovery whose pages are looked at: what is no unit ends the listing with `pollster_failed`, and
 * so does what is no error of ours.
 */
export function checkedDiscovery(discovery: Discovery): Discovery {
  const { name } = discovery;
  return {
    name,
    ...(discovery.resource === undefined
      ? {}
      : { resource: (text: string) => discovery.resource?.(text) ?? null }),
    async *discover(context, parameter) {
      for await (const page of discovery.discover(context, parameter)) {
        if (!Array.isArray(page) || page.length > MAX_UNITS) {
          throw failed(`discovery '${name}'`, `a page is ${shown(page)}, want a list of units`);
        }
        for (const unit of page) checkUnit(unit, name);
        yield page;
      }
    },
  };
}

function checkUnit(unit: unknown, discovery: string): void {
  const id = fieldsOf(unit)?.['id'];
  if (typeof id === 'string' && id !== '' && id.length <= MAX_ID) return;
  throw failed(
    `discovery '${discovery}'`,
    `the id of a unit is ${shown(id)}, want a text of at most ${MAX_ID} characters`,
  );
}

/**
 * A pollster whose readings are looked at and completed: type and unit from its `meters`, the present
 * as timestamp, no project, no user and no metadata unless it says so. A volume may be a number.
 */
export function checkedPollster(pollster: Pollster): Pollster {
  const { name, meters, discovery } = pollster;
  const check = (readings: unknown, context: PollContext): readonly Reading[] => {
    if (!Array.isArray(readings) || readings.length > MAX_READINGS) {
      throw failed(`pollster '${name}'`, `it gave ${shown(readings)}, want a list of readings`);
    }
    return readings.map((reading) => checkedReading(reading, pollster, context));
  };
  const after = (
    readings: readonly Reading[] | Promise<readonly Reading[]>,
    context: PollContext,
  ) => isPromise(readings) ? readings.then((all) => check(all, context)) : check(readings, context);
  const poll = (unit: Unit, context: PollContext) => after(pollster.poll(unit, context), context);
  if (pollster.pollAt === undefined) return { name, meters, discovery, poll };
  return {
    name,
    meters,
    discovery,
    poll,
    pollAt: (unit, instant, context) =>
      after(pollster.pollAt?.(unit, instant, context) ?? [], context),
  };
}

function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

function checkedReading(reading: unknown, pollster: Pollster, context: PollContext): Reading {
  const fields = fieldsOf(reading);
  const subject = `pollster '${pollster.name}'`;
  if (fields === null) throw failed(subject, `a reading is ${shown(reading)}`);
  const { meter } = fields;
  const declared = typeof meter === 'string' ? declarationOf(meter, pollster.meters) : undefined;
  if (typeof meter !== 'string' || declared === undefined) {
    throw failed(subject, `the meter of a reading is ${shown(meter)}, want one of its 'meters'`);
  }
  const what = `${subject}, meter '${meter}'`;
  const { type = declared.type, unit = declared.unit } = fields;
  if (type !== declared.type || unit !== declared.unit) {
    throw failed(what, `its type and unit differ from what 'meters' says`);
  }
  const { resource_id, project_id = null, user_id = null, metadata = {} } = fields;
  if (
    typeof resource_id !== 'string' || resource_id === '' ||
    !isStorableText(resource_id, MAX_ID_LENGTH)
  ) {
    throw failed(what, `its resource_id is ${shown(resource_id)}, want a text`);
  }
  for (const id of [project_id, user_id]) {
    if (id !== null && (typeof id !== 'string' || !isStorableText(id, MAX_ID_LENGTH))) {
      throw failed(what, `its project_id or user_id is ${shown(id)}, want a text or null`);
    }
  }
  const checked = metadata as JsonValue;
  if (!isJsonObject(checked)) throw failed(what, `its metadata is ${shown(metadata)}`);
  return {
    meter,
    type: declared.type,
    unit: declared.unit,
    volume: volumeOf(fields['volume'], what),
    resource_id,
    project_id: project_id as string | null,
    user_id: user_id as string | null,
    timestamp: timestampOf(fields['timestamp'] ?? context.now(), what),
    metadata: plain(checked, what),
  };
}

function declarationOf(
  meter: string,
  meters: readonly PollsterMeter[],
): PollsterMeter | undefined {
  return meters.find(({ name }) =>
    name.endsWith('*') ? meter.startsWith(name.slice(0, -1)) : name === meter
  );
}

function volumeOf(volume: unknown, what: string): string {
  const known = typeof volume === 'string' || typeof volume === 'number' ||
    typeof volume === 'bigint';
  try {
    if (known) return readVolume(typeof volume === 'bigint' ? volume.toString() : volume);
  } catch (error) {
    if (!isNephoError(error)) throw error;
  }
  throw new NephoError(
    'value_invalid',
    `Cannot use a reading of ${what}: its volume is ${shown(volume)}, want a decimal`,
    { retryable: true },
  );
}

function timestampOf(timestamp: unknown, what: string): string {
  try {
    if (typeof timestamp === 'string') return parseTimestamp(timestamp);
  } catch (error) {
    if (!isNephoError(error)) throw error;
  }
  throw new NephoError(
    'timestamp_invalid',
    `Cannot use a reading of ${what}: its timestamp is ${shown(timestamp)}, want ISO 8601 in UTC`,
    { retryable: true },
  );
}

/** Metadata that cannot be written as JSON would stop the message that it is in. */
function plain(metadata: JsonObject, what: string): JsonObject {
  try {
    checkMetadata(metadata);
    return metadata;
  } catch (error) {
    if (isNephoError(error)) throw error;
    throw failed(what, `its metadata is no JSON: ${errorMessage(error)}`);
  }
}

function failed(subject: string, why: string): NephoError {
  return new NephoError('pollster_failed', `Cannot use what ${subject} gave: ${why}`, {
    retryable: true,
  });
}
