import type { Sample } from '../meters/sample.ts';
import { canonicalString } from './canonical_json.ts';
import { withinEntrySize } from './entry_size.ts';
import type { StrictRecord } from './strict_record.ts';

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

/**
 * The bytes, as text, that the log holds for a sample. Written out by hand because it runs once a
 * sample; equal to the canonical JSON of the entry.
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
  return withinEntrySize(text);
}

export function readSampleEntry(record: StrictRecord): SampleEntry {
  return {
    kind: 'sample',
    v: 1,
    definitions: record.hex('definitions', 64),
    id: record.hex('id', 32),
    index: record.count('index'),
    metadata: record.hex('metadata', 64),
    meter: record.text('meter'),
    origin: record.text('origin'),
    project_id: record.textOrNull('project_id'),
    recorded_at: record.time('recorded_at'),
    resource_id: record.text('resource_id'),
    source: record.text('source'),
    timestamp: record.time('timestamp'),
    type: record.meterType('type'),
    unit: record.text('unit'),
    user_id: record.textOrNull('user_id'),
    volume: record.quantity('volume'),
  };
}

function nullable(value: string | null): string {
  return value === null ? 'null' : canonicalString(value);
}
