import type { JsonValue } from '../meters/json.ts';
import { canonicalJson } from './canonical_json.ts';
import { sha256Hex } from './sha256.ts';

/** What identifies a notification: the parts of a decoded one that are read here. */
export interface Origin {
  messageId: string | null;
  /** The CloudEvent around it, if there was one. */
  cloudEvent: { id: string; source: string } | null;
  eventType: string;
  publisherId: string;
  /** As it was sent. */
  timestamp: string | null;
  payload: JsonValue;
}

/** Where a sample comes from: what its id is made of. */
export interface SampleOrigin {
  source: string;
  origin: string;
  meter: string;
  resource_id: string;
  /** Ordinal among the samples of the same meter and resource in one notification, from 0. */
  index: number;
}

/**
 * The origin id of a notification: its message id, else that of the CloudEvent around it as
 * `<source>#<id>`, else a digest of its content, so that the same content sent again is the same.
 */
export function originOf(notification: Origin): string {
  if (notification.messageId !== null) return notification.messageId;
  const { cloudEvent } = notification;
  if (cloudEvent !== null) return `${cloudEvent.source}#${cloudEvent.id}`;
  return `sha256:${contentDigest(notification)}`;
}

/** The key by which an origin is known once and for all: 32 lower-case hexadecimal digits. */
export function originKey(source: string, origin: string): string {
  return sha256Hex(JSON.stringify([source, origin])).slice(0, 32);
}

/**
 * What the same origin must say again to be the same: SHA-256, 64 hexadecimal digits. Without the
 * envelope's own ids and priority, which a republished copy may change.
 */
export function contentDigest(notification: Origin): string {
  const { eventType, publisherId, timestamp, payload } = notification;
  return sha256Hex(JSON.stringify([eventType, publisherId, timestamp, payload]));
}

/** The first 8 bytes of a content digest as a signed 64-bit number, the form kept per origin. */
export function contentWord(digest: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${digest.slice(0, 16)}`));
}

/** The id of a sample: 32 lower-case hexadecimal digits. */
export function sampleId(sample: SampleOrigin): string {
  const { source, origin, meter, resource_id, index } = sample;
  return sha256Hex(JSON.stringify([source, origin, meter, resource_id, index])).slice(0, 32);
}

/** The digest of metadata in canonical JSON: 64 hexadecimal digits. */
export function metadataDigest(canonicalText: string): string {
  return sha256Hex(canonicalText);
}

/** A file of a definition set as the log names it. */
export interface DefinitionDigest {
  name: string;
  /** SHA-256 of its bytes, 64 hexadecimal digits. */
  sha256: string;
}

export function definitionDigests(
  files: readonly { name: string; text: string }[],
): DefinitionDigest[] {
  return files.map(({ name, text }) => ({ name, sha256: sha256Hex(text) }));
}

/** The digest of a definition set: over the names and digests of its files, in their order. */
export function definitionsDigest(files: readonly { name: string; text: string }[]): string {
  return digestOfDefinitions(definitionDigests(files));
}

/** As {@link definitionsDigest}, from the digests alone, as an auditor does who has only the log. */
export function digestOfDefinitions(files: readonly DefinitionDigest[]): string {
  return sha256Hex(canonicalJson(files.map(({ name, sha256 }) => ({ name, sha256 }))));
}

/** What makes a series: everything about its samples that does not change from one to the next. */
export interface SeriesOrigin {
  meter: string;
  type: string;
  unit: string;
  project_id: string | null;
  user_id: string | null;
  resource_id: string;
  source: string;
}

/** The key of a series within a log: 32 lower-case hexadecimal digits. */
export function seriesKey(logId: number, series: SeriesOrigin): string {
  const { meter, type, unit, project_id, user_id, resource_id, source } = series;
  return sha256Hex(
    JSON.stringify([logId, meter, type, unit, project_id, user_id, resource_id, source]),
  ).slice(0, 32);
}
