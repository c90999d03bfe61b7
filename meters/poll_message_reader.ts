import { readVolume } from './definition_volume.ts';
import { atPlace, isNephoError, NephoError } from './errors.ts';
import { parseExactJson } from './exact_json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_SAMPLES_PER_NOTIFICATION } from './limits.ts';
import {
  type GapMeter,
  POLL_FORMAT,
  type PolledUnit,
  type PollEnd,
  type PollGap,
  type PollHead,
  type PollMessage,
  type PollRemark,
  type PollsterOutcome,
} from './poll_message.ts';
import { GAP_REASONS, REMARK_CODES } from './poll_gap.ts';
import { MAX_GROUPS } from './polling_config.ts';
import { METER_TYPES, type Reading } from './sample.ts';
import { checkStorableText, isStorableText } from './storable_text.ts';
import { isCanonicalTimestamp } from './timestamp.ts';

/** A unit that could not be read, with its text so that it can be kept and offered again. */
export interface FaultyUnit {
  /** Null if not even that can be told. */
  pollster: string | null;
  unit: string | null;
  error: NephoError;
  /** The unit as it stood in the message. */
  raw: JsonValue;
}

export interface ReadPollMessage extends PollMessage {
  faulty: readonly FaultyUnit[];
}

const MAX_DETAIL_LENGTH = 1_000;
const MAX_COUNT = 1_000_000_000;

/**
 * Reads a poll message. A unit that is wrong stands alone; anything else that is wrong is the whole
 * message's fault.
 *
 * @throws {NephoError} `not_json`, `too_deep`, `envelope_invalid`, `text_invalid`, `name_too_long`,
 * `timestamp_invalid`; context `place` as in `gaps[2].reason`
 */
export function readPollMessage(text: string): ReadPollMessage {
  const body = object(parseExactJson(text), '');
  if (body['nepho_poll'] !== POLL_FORMAT) {
    throw invalid('nepho_poll', `this version reads format ${POLL_FORMAT}`);
  }
  const units: PolledUnit[] = [];
  const faulty: FaultyUnit[] = [];
  list(body, 'units', '').forEach((raw, index) => {
    try {
      units.push(readUnit(object(raw, `units[${index}]`), `units[${index}]`));
    } catch (error) {
      if (!isNephoError(error)) throw error;
      faulty.push({ ...namesOf(raw), error, raw });
    }
  });
  const end = body['end'];
  return {
    head: readHead(body),
    units,
    faulty,
    gaps: list(body, 'gaps', '').map((gap, index) => readGap(gap, `gaps[${index}]`)),
    end: end === null || end === undefined ? null : readEnd(object(end, 'end')),
  };
}

/** What a poll message is about. @throws as {@link readPollMessage} */
export function readPollHead(bytes: Uint8Array): PollHead {
  return readHead(object(parseExactJson(new TextDecoder().decode(bytes)), ''));
}

function readHead(body: JsonObject): PollHead {
  return {
    cloud: text(body, 'cloud', '', MAX_NAME_LENGTH),
    source: text(body, 'source', '', MAX_NAME_LENGTH),
    group: count(body, 'group', '', MAX_GROUPS - 1),
    cycle: time(body, 'cycle', ''),
  };
}

function readUnit(raw: JsonObject, at: string): PolledUnit {
  const metadata = list(raw, 'metadata', at).map((one, index) =>
    object(one, `${at}.metadata[${index}]`)
  );
  const samples = list(raw, 'samples', at);
  if (samples.length > MAX_SAMPLES_PER_NOTIFICATION) {
    throw new NephoError(
      'too_many_samples',
      `Cannot take the ${samples.length} samples of '${at}': at most ${MAX_SAMPLES_PER_NOTIFICATION} are taken`,
      { context: { place: `${at}.samples` } },
    );
  }
  return {
    pollster: text(raw, 'pollster', at, MAX_NAME_LENGTH),
    unit: text(raw, 'unit', at, MAX_NAME_LENGTH),
    readings: samples.map((sample, index) => {
      const place = `${at}.samples[${index}]`;
      return readReading({ shared: raw, own: object(sample, place), place }, metadata);
    }),
  };
}

/** A sample and the unit that says what its samples share. */
interface Shared {
  shared: JsonObject;
  own: JsonObject;
  place: string;
}

function readReading(from: Shared, metadata: readonly JsonObject[]): Reading {
  const { own, shared, place } = from;
  const timed = Object.hasOwn(own, 'timestamp') ? own : shared;
  const resource = sharedText(from, 'resource_id');
  if (resource === null) {
    throw new NephoError(
      'resource_missing',
      `Cannot take a sample without a resource: '${place}' has none`,
      { context: { place } },
    );
  }
  const number = own['metadata'] ?? 0;
  const described = typeof number === 'number' ? metadata[number] : undefined;
  if (described === undefined) throw invalid(`${place}.metadata`, 'the number of one is expected');
  return {
    meter: text(own, 'meter', place, MAX_NAME_LENGTH),
    type: oneOf(METER_TYPES, own['type'], `${place}.type`),
    unit: optionalText(own, 'unit', place, MAX_NAME_LENGTH) ?? '',
    volume: atPlace(`${place}.volume`, () => readVolume(own['volume'] ?? null)),
    resource_id: resource,
    project_id: sharedText(from, 'project_id'),
    user_id: sharedText(from, 'user_id'),
    timestamp: time(timed, 'timestamp', place),
    metadata: described,
  };
}

function sharedText({ own, shared, place }: Shared, key: string): string | null {
  return optionalText(Object.hasOwn(own, key) ? own : shared, key, place, MAX_ID_LENGTH);
}

function readGap(value: JsonValue, at: string): PollGap {
  const raw = object(value, at);
  return {
    pollster: text(raw, 'pollster', at, MAX_NAME_LENGTH),
    unit: optionalText(raw, 'unit', at, MAX_NAME_LENGTH),
    units: count(raw, 'units', at),
    meters: readMeters(raw, at),
    partial: raw['partial'] === true,
    reason: oneOf(GAP_REASONS, raw['reason'], `${at}.reason`),
    detail: optionalText(raw, 'detail', at, MAX_DETAIL_LENGTH) ?? '',
  };
}

function readEnd(raw: JsonObject): PollEnd {
  const counts = object(raw['remark_counts'] ?? {}, 'end.remark_counts');
  return {
    started_at: raw['started_at'] === null ? null : time(raw, 'started_at', 'end'),
    ended_at: time(raw, 'ended_at', 'end'),
    requests: count(raw, 'requests', 'end'),
    pollsters: list(raw, 'pollsters', 'end').map((value, index) =>
      readOutcome(object(value, `end.pollsters[${index}]`), `end.pollsters[${index}]`)
    ),
    remark_counts: Object.fromEntries(
      REMARK_CODES.filter((code) => counts[code] !== undefined)
        .map((code) => [code, count(counts, code, 'end.remark_counts')]),
    ),
    remarks: list(raw, 'remarks', 'end').map((value, index) =>
      readRemark(object(value, `end.remarks[${index}]`), `end.remarks[${index}]`)
    ),
  };
}

function readOutcome(raw: JsonObject, at: string): PollsterOutcome {
  return {
    name: text(raw, 'name', at, MAX_NAME_LENGTH),
    discovered: count(raw, 'discovered', at),
    listed: raw['listed'] === true,
    meters: readMeters(raw, at),
  };
}

function readRemark(raw: JsonObject, at: string): PollRemark {
  return {
    code: oneOf(REMARK_CODES, raw['code'], `${at}.code`),
    unit: optionalText(raw, 'unit', at, MAX_NAME_LENGTH),
    detail: optionalText(raw, 'detail', at, MAX_DETAIL_LENGTH) ?? '',
  };
}

function readMeters(raw: JsonObject, at: string): GapMeter[] {
  return list(raw, 'meters', at).map((value, index) => {
    const place = `${at}.meters[${index}]`;
    const meter = object(value, place);
    return {
      name: text(meter, 'name', place, MAX_NAME_LENGTH),
      type: oneOf(METER_TYPES, meter['type'], `${place}.type`),
    };
  });
}

/** Only such names as can stand in a gap. */
function namesOf(raw: JsonValue): { pollster: string | null; unit: string | null } {
  const { pollster, unit } = isJsonObject(raw) ? raw : {};
  return { pollster: nameOrNull(pollster), unit: nameOrNull(unit) };
}

function nameOrNull(value: JsonValue | undefined): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return isStorableText(value, MAX_NAME_LENGTH) ? value : null;
}

function object(value: JsonValue, place: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw invalid(place, 'an object is expected');
}

function list(from: JsonObject, key: string, at: string): JsonValue[] {
  const value = from[key];
  if (Array.isArray(value)) return value;
  throw invalid(join(at, key), 'a list is expected');
}

function text(from: JsonObject, key: string, at: string, limit: number): string {
  const value = optionalText(from, key, at, limit);
  if (value === null || value === '') throw invalid(join(at, key), 'a text is expected');
  return value;
}

function optionalText(
  from: JsonObject,
  key: string,
  at: string,
  limit: number,
): string | null {
  const value = from[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw invalid(join(at, key), 'a text is expected');
  checkStorableText(value, join(at, key), limit);
  return value;
}

function count(from: JsonObject, key: string, at: string, most: number = MAX_COUNT): number {
  const value = from[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) {
    return value;
  }
  throw invalid(join(at, key), `a whole number from 0 to ${most} is expected`);
}

function time(from: JsonObject, key: string, at: string): string {
  const value = from[key];
  if (typeof value === 'string' && isCanonicalTimestamp(value)) return value;
  throw new NephoError(
    'timestamp_invalid',
    `Cannot read a poll message: '${join(at, key)}' is no canonical UTC timestamp`,
    { context: { place: join(at, key) } },
  );
}

function oneOf<Known extends string>(
  known: readonly Known[],
  value: JsonValue | undefined,
  place: string,
): Known {
  const found = known.find((one) => one === value);
  if (found === undefined) throw invalid(place, `one of ${known.join(', ')} is expected`);
  return found;
}

function join(at: string, key: string): string {
  return at === '' ? key : `${at}.${key}`;
}

function invalid(place: string, remedy: string): NephoError {
  return new NephoError(
    'envelope_invalid',
    `Cannot read a poll message: '${place}' is missing or wrong, ${remedy}`,
    { context: { place } },
  );
}
