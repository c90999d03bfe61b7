import { errorMessage, NephoError } from '../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../meters/json.ts';
import { isCanonicalQuantity } from '../meters/quantity.ts';
import { METER_TYPES, type MeterType, type Sample } from '../meters/sample.ts';
import { isCanonicalTimestamp } from '../meters/timestamp.ts';
import { decodeUtf8, encodeUtf8 } from './bytes.ts';
import { canonicalJson, canonicalString } from './canonical_json.ts';
import type { DefinitionDigest } from './identity.ts';

/** A length in a bundle of C2SP tlog-tiles is a uint16, so an entry has 65,535 bytes at most. */
export const MAX_ENTRY_BYTES = 65_535;

/** What the log says of a sample: the wire form with its metadata as a digest, and its origin. */
export interface SampleFields extends Omit<Sample, 'metadata'> {
  /** SHA-256 of the metadata in canonical JSON, 64 hexadecimal digits. */
  metadata: string;
  /** The definition set that made it, 64 hexadecimal digits: see the `definitions` entries. */
  definitions: string;
  /** The origin id of its notification. */
  origin: string;
  /** Ordinal among the samples of the same meter and resource in one notification, from 0. */
  index: number;
}

export interface SampleEntry extends SampleFields {
  kind: 'sample';
  v: 1;
}

/** A definition set came into force. */
export interface DefinitionsEntry {
  kind: 'definitions';
  v: 1;
  /** `digestOfDefinitions(files)`. */
  digest: string;
  files: DefinitionDigest[];
  recorded_at: string;
}

/** A signing key came into force. */
export interface KeyEntry {
  kind: 'key';
  v: 1;
  /** The name on signature lines. */
  name: string;
  /** The verifier key in the form of C2SP signed-note: name, key id and public key. */
  vkey: string;
  /** It signs checkpoints from this time on. */
  not_before: string;
  /** Until then the previous key signs too; null for the first key. */
  overlap_until: string | null;
  /** The verifier key that this one follows; null for the first. */
  previous: string | null;
  /** The previous key's signature over this entry, in base64: see `key_entry.ts`. */
  endorsement: string | null;
  recorded_at: string;
}

export type LogEntry = SampleEntry | DefinitionsEntry | KeyEntry;

/**
 * The bytes, as text, that the log holds for a sample. Written out by hand because it runs once a
 * sample; equal to {@link canonicalJson} of the entry.
 *
 * @throws {NephoError} `text_invalid` for half a surrogate pair, `entry_too_large`
 */
export function encodeSampleEntry(sample: SampleFields): string {
  const text =
    `{"definitions":"${sample.definitions}","id":"${sample.id}","index":${sample.index}` +
    `,"kind":"sample","metadata":"${sample.metadata}","meter":${canonicalString(sample.meter)}` +
    `,"origin":${canonicalString(sample.origin)},"project_id":${nullable(sample.project_id)}` +
    `,"recorded_at":"${sample.recorded_at}","resource_id":${canonicalString(sample.resource_id)}` +
    `,"source":${canonicalString(sample.source)},"timestamp":"${sample.timestamp}"` +
    `,"type":"${sample.type}","unit":${canonicalString(sample.unit)}` +
    `,"user_id":${nullable(sample.user_id)},"v":1,"volume":"${sample.volume}"}`;
  return withinLimit(text);
}

/** The bytes, as text, that the log holds for a record of any kind. @throws as for samples */
export function encodeEntry(entry: LogEntry): string {
  if (entry.kind === 'sample') return encodeSampleEntry(entry);
  return withinLimit(canonicalJson(Object.fromEntries(Object.entries(entry))));
}

/**
 * Reads an entry strictly: whatever is accepted is what encoding the result gives, byte for byte.
 *
 * @throws {NephoError} `entry_invalid` for bytes that are no entry, `entry_not_canonical` for another
 * way of writing one, `entry_kind_unknown` for a canonical record of a kind or version that this
 * program does not know, as a newer one may write
 */
export function parseEntry(bytes: Uint8Array | string): LogEntry {
  const text = typeof bytes === 'string' ? bytes : decodeEntryText(bytes);
  const record = parseRecord(text);
  const entry = readEntry(record);
  if (entry === null) {
    if (canonicalOrNull(record) !== text) throw notCanonical(text);
    throw new NephoError(
      'entry_kind_unknown',
      `Cannot read an entry of kind ${JSON.stringify(record['kind'])}, version ${
        JSON.stringify(record['v'])
      }: only a newer version can`,
    );
  }
  if (encodeEntry(entry) !== text) throw notCanonical(text);
  return entry;
}

function decodeEntryText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new NephoError('entry_invalid', 'Cannot read an entry: it is not UTF-8', { cause });
  }
}

function parseRecord(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(`it is not JSON: ${errorMessage(cause)}`);
  }
  if (!isJsonObject(value)) throw invalid('it is not a JSON object');
  return value;
}

function readEntry(record: JsonObject): LogEntry | null {
  if (typeof record['kind'] !== 'string') throw invalid("it has no text 'kind'");
  if (record['v'] !== 1) return null;
  switch (record['kind']) {
    case 'sample':
      return readSample(record);
    case 'definitions':
      return readDefinitions(record);
    case 'key':
      return readKey(record);
    default:
      return null;
  }
}

function readSample(record: JsonObject): SampleEntry {
  return {
    kind: 'sample',
    v: 1,
    definitions: hex(record, 'definitions', 64),
    id: hex(record, 'id', 32),
    index: ordinal(record, 'index'),
    metadata: hex(record, 'metadata', 64),
    meter: text(record, 'meter'),
    origin: text(record, 'origin'),
    project_id: textOrNull(record, 'project_id'),
    recorded_at: time(record, 'recorded_at'),
    resource_id: text(record, 'resource_id'),
    source: text(record, 'source'),
    timestamp: time(record, 'timestamp'),
    type: meterType(record),
    unit: text(record, 'unit'),
    user_id: textOrNull(record, 'user_id'),
    volume: volume(record),
  };
}

function readDefinitions(record: JsonObject): DefinitionsEntry {
  const files = record['files'];
  if (!Array.isArray(files)) throw invalid("'files' is not a list");
  return {
    kind: 'definitions',
    v: 1,
    digest: hex(record, 'digest', 64),
    files: files.map((file) => {
      if (!isJsonObject(file)) throw invalid("'files' has an item that is no object");
      return { name: text(file, 'name'), sha256: hex(file, 'sha256', 64) };
    }),
    recorded_at: time(record, 'recorded_at'),
  };
}

function readKey(record: JsonObject): KeyEntry {
  return {
    kind: 'key',
    v: 1,
    name: text(record, 'name'),
    vkey: text(record, 'vkey'),
    not_before: time(record, 'not_before'),
    overlap_until: record['overlap_until'] === null ? null : time(record, 'overlap_until'),
    previous: textOrNull(record, 'previous'),
    endorsement: textOrNull(record, 'endorsement'),
    recorded_at: time(record, 'recorded_at'),
  };
}

function text(record: JsonObject, key: string): string {
  const value = record[key];
  if (typeof value !== 'string') throw invalid(`'${key}' is not text`);
  return value;
}

function textOrNull(record: JsonObject, key: string): string | null {
  return record[key] === null ? null : text(record, key);
}

function hex(record: JsonObject, key: string, digits: number): string {
  const value = text(record, key);
  if (value.length !== digits || !/^[0-9a-f]+$/.test(value)) {
    throw invalid(`'${key}' is not ${digits} lower-case hexadecimal digits`);
  }
  return value;
}

function time(record: JsonObject, key: string): string {
  const value = text(record, key);
  if (!isCanonicalTimestamp(value)) {
    throw invalid(`'${key}' is not a time in UTC with microseconds`);
  }
  return value;
}

function ordinal(record: JsonObject, key: string): number {
  const value = record[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalid(`'${key}' is not a whole number from 0`);
  }
  return value;
}

function meterType(record: JsonObject): MeterType {
  const value = record['type'];
  const type = METER_TYPES.find((known) => known === value);
  if (type === undefined) throw invalid(`'type' is none of ${METER_TYPES.join(', ')}`);
  return type;
}

function volume(record: JsonObject): string {
  const value = text(record, 'volume');
  if (!isCanonicalQuantity(value)) throw invalid("'volume' is not a canonical decimal");
  return value;
}

function nullable(value: string | null): string {
  return value === null ? 'null' : canonicalString(value);
}

function withinLimit(text: string): string {
  // A UTF-16 unit takes 3 bytes of UTF-8 at most, so short text needs no count.
  if (text.length > MAX_ENTRY_BYTES / 3 && encodeUtf8(text).length > MAX_ENTRY_BYTES) {
    throw new NephoError(
      'entry_too_large',
      `Cannot log an entry of more than ${MAX_ENTRY_BYTES} bytes: '${text.slice(0, 80)}…'`,
    );
  }
  return text;
}

function canonicalOrNull(record: JsonObject): string | null {
  try {
    return canonicalJson(record);
  } catch {
    return null;
  }
}

function invalid(reason: string): NephoError {
  return new NephoError('entry_invalid', `Cannot read an entry: ${reason}`);
}

function notCanonical(text: string): NephoError {
  return new NephoError(
    'entry_not_canonical',
    `Cannot accept the entry '${text.slice(0, 80)}…': it is not in canonical form`,
  );
}
