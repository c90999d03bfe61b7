/**
 * What a database must hold after any number of faults: a model so simple that it can be believed. It
 * reads each distinct notification once, in memory, in no order.
 */
import { acceptedSpan } from '../../activities/understand.ts';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import {
  contentDigest,
  contentWord,
  originKey,
  originOf,
  sampleId,
} from '../../ledger/identity.ts';
import { sha256Hex } from '../../ledger/sha256.ts';
import type { DefinitionSet } from '../../meters/definition_compile.ts';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import { MAX_ID_LENGTH, MAX_METADATA_LENGTH } from '../../meters/limits.ts';
import { decodeNotification } from '../../meters/notification.ts';
import type { Reading } from '../../meters/sample.ts';
import { checkStorableText } from '../../meters/storable_text.ts';
import type { Parcel } from './fault_workload.ts';

/** One content of an origin. */
export interface ModelContent {
  content: string;
  outcome: 'samples' | 'unmatched' | 'without_volume';
  eventType: string;
  withoutVolume: number;
  /** Each as {@link sampleLine}. */
  samples: string[];
  /** SHA-256 of each body that says this. */
  digests: Set<string>;
}

export interface Model {
  /** By origin key: its contents, of which one must be in the log and the others in quarantine. */
  origins: Map<string, Map<string, ModelContent>>;
  /** By SHA-256 of the body: the reason. */
  rejects: Map<string, string>;
}

export const MODEL_SOURCE = 'openstack';

export function makeModel(parcels: readonly Parcel[], definitions: DefinitionSet): Model {
  const model: Model = { origins: new Map(), rejects: new Map() };
  extendModel(model, parcels, definitions);
  return model;
}

/** Adds what was sent later. */
export function extendModel(
  model: Model,
  parcels: readonly Parcel[],
  definitions: DefinitionSet,
): void {
  for (const { bytes, reason } of parcels) {
    if (reason === null) addContent(model, bytes, definitions);
    else if (reason !== '') model.rejects.set(sha256Hex(bytes), reason);
    else addEither(model, bytes, definitions);
  }
}

/** What the pure part of ingest refuses must be refused by the whole for the same reason. */
function addEither(model: Model, bytes: Uint8Array, definitions: DefinitionSet): void {
  try {
    addContent(model, bytes, definitions);
  } catch (error) {
    if (!isNephoError(error)) throw error;
    model.rejects.set(sha256Hex(bytes), error.code);
  }
}

function addContent(model: Model, bytes: Uint8Array, definitions: DefinitionSet): void {
  const notification = decodeNotification(bytes);
  const origin = originOf(notification);
  checkStorableText(origin, 'message_id', MAX_ID_LENGTH);
  const key = originKey(MODEL_SOURCE, origin);
  const content = contentWord(contentDigest(notification)).toString();
  const { matched, readings, withoutVolume } = definitions.extract(notification);
  checkReadings(readings);
  const contents = model.origins.get(key) ?? new Map<string, ModelContent>();
  model.origins.set(key, contents);
  const known = contents.get(content);
  if (known !== undefined) {
    known.digests.add(sha256Hex(bytes));
    return;
  }
  contents.set(content, {
    content,
    outcome: !matched ? 'unmatched' : readings.length > 0 ? 'samples' : 'without_volume',
    eventType: notification.eventType,
    withoutVolume: withoutVolume.length,
    samples: sampleLines(origin, readings),
    digests: new Set([sha256Hex(bytes)]),
  });
}

function checkReadings(readings: readonly Reading[]): void {
  const { earliest, latest } = acceptedSpan(Date.now());
  const checked = new Set<object>();
  for (const { timestamp, metadata } of readings) {
    if (timestamp < earliest || timestamp > latest) {
      throw new NephoError('timestamp_out_of_range', 'Cannot take it');
    }
    if (!checked.has(metadata) && canonicalJson(metadata).length > MAX_METADATA_LENGTH) {
      throw new NephoError('too_large', 'Cannot take it');
    }
    checked.add(metadata);
  }
}

function sampleLines(origin: string, readings: readonly Reading[]): string[] {
  const counts = new Map<string, number>();
  return readings.map((reading) => {
    const { meter, resource_id } = reading;
    const index = counts.get(`${meter}\0${resource_id}`) ?? 0;
    counts.set(`${meter}\0${resource_id}`, index + 1);
    const id = sampleId({ source: MODEL_SOURCE, origin, meter, resource_id, index });
    return sampleLine({ ...reading, id });
  });
}

/** A sample in one line, so that multisets are compared as sorted lists. */
export function sampleLine(sample: Omit<Reading, 'metadata'> & { id: string }): string {
  const { id, meter, type, unit, volume, resource_id, project_id, user_id, timestamp } = sample;
  return JSON.stringify([
    id,
    meter,
    type,
    unit,
    volume,
    resource_id,
    project_id,
    user_id,
    timestamp,
  ]);
}
