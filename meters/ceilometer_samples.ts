import { readVolume } from './definition_volume.ts';
import { atPlace, NephoError } from './errors.ts';
import type { Extraction } from './definition_extract.ts';
import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_SAMPLES_PER_NOTIFICATION } from './limits.ts';
import { METER_TYPES, type Reading } from './sample.ts';
import { checkStorableText } from './storable_text.ts';
import { parseTimestamp } from './timestamp.ts';

/** From a polling agent: `{"samples": [sample, …]}`. Source: ceilometer/polling/manager.py. */
const POLLING = 'telemetry.polling';
/**
 * From the `notifier` publisher: `[sample, …]`. What it sends with `per_meter_topic` as `metering.cpu`
 * is the same samples once more, and so not among these. Source: ceilometer/publisher/messaging.py.
 */
const METERING = 'metering';

/**
 * True for the event types that carry finished samples, which Ceilometer's agents took and signed one
 * by one, instead of facts for definitions to read.
 */
export function carriesCeilometerSamples(eventType: string): boolean {
  return eventType === POLLING || eventType === METERING;
}

/**
 * The samples in such a notification as they were published: `counter_name`, `counter_type` and so on.
 *
 * @throws {NephoError} `envelope_invalid`, `too_many_samples`
 */
export function publishedSamples(eventType: string, payload: JsonValue): JsonObject[] {
  const inObject = eventType === POLLING;
  const place = inObject ? 'payload.samples' : 'payload';
  const list = !inObject ? payload : isJsonObject(payload) ? payload['samples'] : null;
  if (!Array.isArray(list)) throw invalid(place, 'a list of samples is expected');
  if (list.length > MAX_SAMPLES_PER_NOTIFICATION) {
    throw new NephoError(
      'too_many_samples',
      `Cannot take the samples of '${eventType}': it has ${list.length}, at most ${MAX_SAMPLES_PER_NOTIFICATION} are taken`,
      { context: { place } },
    );
  }
  return list.map((sample, index) => {
    if (!isJsonObject(sample)) throw invalid(`${place}[${index}]`, 'a sample is an object');
    return sample;
  });
}

/**
 * The readings of published samples, in their order. As in Ceilometer, the sample's own time counts;
 * its `message_id`, `monotonic_time` and signature serve the transport and are not kept.
 *
 * @throws {NephoError} `envelope_invalid`, `volume_invalid`, `resource_missing`, `timestamp_missing`,
 * `timestamp_invalid`, `text_invalid`, `name_too_long`; context `place` as in `samples[3].counter_type`
 */
export function readPublishedSamples(samples: readonly JsonObject[]): Extraction {
  const readings: Reading[] = [];
  const withoutVolume: string[] = [];
  samples.forEach((sample, index) => {
    const from = { sample, at: `samples[${index}]` };
    const meter = requiredText(from, 'counter_name');
    const volume = sample['counter_volume'];
    if (volume === undefined || volume === null) withoutVolume.push(meter);
    else readings.push(readSample(from, meter, volume));
  });
  return { matched: true, readings, withoutVolume };
}

interface Published {
  sample: JsonObject;
  /** Where it stands, for errors. */
  at: string;
}

function readSample(from: Published, meter: string, volume: JsonValue): Reading {
  const { sample, at } = from;
  const type = METER_TYPES.find((known) => known === sample['counter_type']);
  if (type === undefined) {
    throw invalid(`${at}.counter_type`, 'gauge, delta or cumulative is expected');
  }
  const resource = text(from, 'resource_id', MAX_ID_LENGTH);
  if (resource === null) {
    throw new NephoError(
      'resource_missing',
      `Cannot take a sample of '${meter}' without a resource: '${at}.resource_id' has none`,
      { context: { place: `${at}.resource_id`, meter } },
    );
  }
  return {
    meter,
    type,
    unit: text(from, 'counter_unit', MAX_NAME_LENGTH) ?? '',
    volume: atPlace(`${at}.counter_volume`, () => readVolume(volume)),
    resource_id: resource,
    project_id: text(from, 'project_id', MAX_ID_LENGTH),
    user_id: text(from, 'user_id', MAX_ID_LENGTH),
    timestamp: readTime(from, meter),
    metadata: readMetadata(from),
  };
}

function readTime({ sample, at }: Published, meter: string): string {
  const place = `${at}.timestamp`;
  const value = sample['timestamp'];
  if (typeof value === 'string' && value !== '') return atPlace(place, () => parseTimestamp(value));
  throw new NephoError(
    'timestamp_missing',
    `Cannot date a sample of '${meter}': '${place}' is no text`,
    { context: { place, meter } },
  );
}

function readMetadata({ sample, at }: Published): JsonObject {
  const value = sample['resource_metadata'];
  if (value === undefined || value === null) return {};
  if (isJsonObject(value)) return value;
  throw invalid(`${at}.resource_metadata`, 'an object is expected');
}

function requiredText(from: Published, key: string): string {
  const value = text(from, key, MAX_NAME_LENGTH);
  if (value === null) throw invalid(`${from.at}.${key}`, 'a sample has a text there');
  return value;
}

/** A text, or a number as one; null for null, for what is not there and for an empty text. */
function text({ sample, at }: Published, key: string, limit: number): string | null {
  const value = sample[key];
  if (value === undefined || value === null || value === '') return null;
  const written = typeof value === 'number'
    ? String(value)
    : value instanceof ExactNumber
    ? value.text
    : value;
  if (typeof written !== 'string') throw invalid(`${at}.${key}`, 'a text is expected');
  checkStorableText(written, `${at}.${key}`, limit);
  return written;
}

function invalid(place: string, remedy: string): NephoError {
  return new NephoError(
    'envelope_invalid',
    `Cannot read the samples of a Ceilometer agent: '${place}' is missing or wrong, ${remedy}`,
    { context: { place } },
  );
}
