import { contentDigest, contentWord, originKey, originOf } from '../ledger/identity.ts';
import { carriesCeilometerSamples, publishedSamples } from '../meters/ceilometer_samples.ts';
import { readPublishedSamples } from '../meters/ceilometer_samples.ts';
import type { DefinitionSet } from '../meters/definition_compile.ts';
import type { Extraction } from '../meters/definition_extract.ts';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { MAX_AGE_DAYS, MAX_AHEAD_DAYS, MAX_ID_LENGTH } from '../meters/limits.ts';
import { decodeNotification } from '../meters/notification.ts';
import type { Notification } from '../meters/notification.ts';
import type { Reading } from '../meters/sample.ts';
import { asStorableText, checkStorableText } from '../meters/storable_text.ts';
import { formatMillis } from '../meters/timestamp.ts';
import type { PreparedPoll, PreparedReject } from '../db/prepared_batch.ts';
import type { CheckSampleSignatures } from './sample_signatures.ts';

/** Deliveries after which a message is set aside unread: something in it stops the shard. */
export const MAX_DELIVERIES = 20;

const DAY_MS = 86_400_000;

/** A message of the intake, whatever carried it. */
export interface Delivery {
  bytes: Uint8Array;
  via: string | null;
  streamSequence: number | null;
  /** 1 at the first delivery. */
  deliveryCount: number;
  /** Why the body could not be had, null if it is here. */
  fault: NephoError | null;
}

/** A notification with what the definitions read from it, or a polled unit with its readings. */
export interface Understood {
  delivery: Delivery;
  /** 32 hexadecimal digits. */
  key: string;
  origin: string;
  eventType: string;
  /** First 8 bytes of the content digest, a signed 64-bit integer in decimal. */
  content: string;
  matched: boolean;
  withoutVolume: number;
  readings: readonly Reading[];
  /** The cycle that it was polled in, null for a notification. */
  poll: PreparedPoll | null;
}

export interface UnderstandContext {
  definitions: DefinitionSet;
  /** The name of the cloud that notifications come from. */
  source: string;
  /** The span of timestamps that are taken, see {@link acceptedSpan}. */
  span: AcceptedSpan;
  /** Asked for messages that carry samples of Ceilometer's agents. */
  checkSignatures: CheckSampleSignatures;
}

/** Canonical UTC timestamps, both included. */
export interface AcceptedSpan {
  earliest: string;
  latest: string;
}

/** What {@link MAX_AGE_DAYS} and {@link MAX_AHEAD_DAYS} allow at a time in milliseconds since 1970. */
export function acceptedSpan(nowMs: number): AcceptedSpan {
  return {
    earliest: formatMillis(nowMs - MAX_AGE_DAYS * DAY_MS),
    latest: formatMillis(nowMs + MAX_AHEAD_DAYS * DAY_MS),
  };
}

/** Reads one message; never throws for what a message holds. */
export function understand(
  delivery: Delivery,
  context: UnderstandContext,
): Understood | PreparedReject {
  let notification: Notification | null = null;
  try {
    checkDelivery(delivery);
    notification = decodeNotification(delivery.bytes);
    return read(notification, delivery, context);
  } catch (error) {
    return reject(delivery, notification, error);
  }
}

/**
 * Throws for what need not be opened.
 *
 * @throws {NephoError} `delivery_exhausted`, `object_missing`
 */
export function checkDelivery(delivery: Delivery): void {
  if (delivery.deliveryCount > MAX_DELIVERIES) throw exhausted(delivery);
  if (delivery.fault !== null) throw delivery.fault;
}

export function isReject(value: object): value is PreparedReject {
  return 'reason' in value;
}

function read(
  notification: Notification,
  delivery: Delivery,
  context: UnderstandContext,
): Understood {
  const origin = originOf(notification);
  checkStorableText(origin, 'message_id', MAX_ID_LENGTH);
  const extraction = carriesCeilometerSamples(notification.eventType)
    ? readSamples(notification, delivery, context)
    : context.definitions.extract(notification);
  for (const reading of extraction.readings) checkSpan(reading, context.span);
  return {
    delivery,
    key: originKey(context.source, origin),
    origin,
    eventType: notification.eventType,
    content: contentWord(contentDigest(notification)).toString(),
    matched: extraction.matched,
    withoutVolume: extraction.withoutVolume.length,
    readings: extraction.readings,
    poll: null,
  };
}

/** Of a message that brings finished samples: nothing of it counts unless all of it is genuine. */
function readSamples(
  { eventType, payload }: Notification,
  delivery: Delivery,
  context: UnderstandContext,
): Extraction {
  const samples = publishedSamples(eventType, payload);
  context.checkSignatures(delivery.bytes);
  return readPublishedSamples(samples);
}

/** Canonical timestamps are in the order of their texts. @throws {NephoError} `timestamp_out_of_range` */
export function checkSpan(reading: Reading, { earliest, latest }: AcceptedSpan): void {
  if (reading.timestamp >= earliest && reading.timestamp <= latest) return;
  throw new NephoError(
    'timestamp_out_of_range',
    `Cannot take a sample of '${reading.meter}' at ${reading.timestamp}: accepted are ${earliest} to ${latest}`,
    { context: { place: 'timestamp', meter: reading.meter } },
  );
}

/** What is kept of a message that cannot be taken. */
export function reject(
  delivery: Delivery,
  notification: Pick<Notification, 'eventType' | 'messageId'> | Understood | null,
  error: unknown,
): PreparedReject {
  const known = isNephoError(error) ? error : null;
  const place = known?.context['place'] ?? known?.context['meter'] ?? null;
  return {
    bytes: delivery.bytes,
    reason: known?.code ?? 'definition_failed',
    place: place === null ? null : String(place),
    detail: storable(errorMessage(error)),
    eventType: notification === null ? null : storable(notification.eventType),
    origin: originName(notification),
    via: delivery.via,
    streamSequence: delivery.streamSequence,
  };
}

function originName(
  notification: Pick<Notification, 'messageId'> | Understood | null,
): string | null {
  if (notification === null) return null;
  const name = 'origin' in notification ? notification.origin : notification.messageId;
  return name === null ? null : storable(name);
}

function storable(text: string): string {
  return asStorableText(text, MAX_ID_LENGTH);
}

function exhausted(delivery: Delivery): NephoError {
  return new NephoError(
    'delivery_exhausted',
    `Cannot take a message that was delivered ${delivery.deliveryCount} times without being stored: ` +
      "read the worker's log for what stopped it, then retry it",
  );
}
