/**
 * What a database must hold after any number of faults: a model so simple that it can be believed. It
 * reads each distinct notification once, in memory, in no order.
 */
import {
  contentDigest,
  contentWord,
  originKey,
  originOf,
  sampleId,
} from '../../ledger/identity.ts';
import { sha256Hex } from '../../ledger/sha256.ts';
import type { DefinitionSet } from '../../meters/definition_compile.ts';
import { decodeNotification } from '../../meters/notification.ts';
import type { Reading } from '../../meters/sample.ts';
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
  for (const { bytes, reason } of parcels) {
    if (reason === null) addContent(model, bytes, definitions);
    else model.rejects.set(sha256Hex(bytes), reason);
  }
  return model;
}

function addContent(model: Model, bytes: Uint8Array, definitions: DefinitionSet): void {
  const notification = decodeNotification(bytes);
  const origin = originOf(notification);
  const key = originKey(MODEL_SOURCE, origin);
  const content = contentWord(contentDigest(notification)).toString();
  const contents = model.origins.get(key) ?? new Map<string, ModelContent>();
  model.origins.set(key, contents);
  const known = contents.get(content);
  if (known !== undefined) {
    known.digests.add(sha256Hex(bytes));
    return;
  }
  const { matched, readings, withoutVolume } = definitions.extract(notification);
  contents.set(content, {
    content,
    outcome: !matched ? 'unmatched' : readings.length > 0 ? 'samples' : 'without_volume',
    eventType: notification.eventType,
    withoutVolume: withoutVolume.length,
    samples: sampleLines(origin, readings),
    digests: new Set([sha256Hex(bytes)]),
  });
}

function sampleLines(origin: string, readings: readonly Reading[]): string[] {
  return readings.map((reading, index) => {
    const { meter, resource_id } = reading;
    const ordinal = readings.slice(0, index)
      .filter((one) => one.meter === meter && one.resource_id === resource_id).length;
    const id = sampleId({ source: MODEL_SOURCE, origin, meter, resource_id, index: ordinal });
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
