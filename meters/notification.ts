import { NephoError } from './errors.ts';
import { parseExactJson } from './exact_json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_NOTIFICATION_BYTES } from './limits.ts';
import { openEnvelopes, type ParseJson } from './notification_envelope.ts';
import { checkStorableText } from './storable_text.ts';

/** An oslo.messaging notification, whichever envelope it came in. */
export interface Notification {
  /** Null where the sender gave none. */
  messageId: string | null;
  /** What the CloudEvent around it, if there was one, says of itself. */
  cloudEvent: { id: string; source: string } | null;
  eventType: string;
  /** `service.host`; empty where the sender gave none. */
  publisherId: string;
  /** Upper case, as in `INFO`; empty where the sender gave none. */
  priority: string;
  /** As sent: oslo writes naive UTC. Read it by `parseTimestamp`. */
  timestamp: string | null;
  payload: JsonValue;
  /** The request's context: `_context_project_id` is here under `project_id`. */
  context: JsonObject;
}

const CONTEXT_PREFIX = '_context_';
const DECODER = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a notification from the bytes of a message body: oslo.messaging's flat form (`messaging`), its
 * envelope (`messagingv2`: `{"oslo.version", "oslo.message"}`), Ceilometer's own form with `metadata`
 * and `ctxt`, or a structured CloudEvent around any of these.
 *
 * Source of the forms: oslo_messaging `_drivers/common.py` serialize_msg and deserialize_msg,
 * `_drivers/amqp.py` pack_context, `notify/notifier.py` _notify.
 *
 * @throws {NephoError} `too_large`, `not_utf8`, `not_json`, `too_deep`, `not_an_object`,
 * `envelope_invalid`, `timestamp_invalid`, `text_invalid`, `name_too_long`; context `place` says where
 */
export function decodeNotification(
  bytes: Uint8Array,
  parse: ParseJson = parseExactJson,
): Notification {
  if (bytes.length > MAX_NOTIFICATION_BYTES) {
    throw new NephoError(
      'too_large',
      `Cannot read a notification of ${bytes.length} bytes: at most ${MAX_NOTIFICATION_BYTES} are read`,
      { context: { place: '', bytes: bytes.length } },
    );
  }
  const { message, cloudEvent } = openEnvelopes(parse(decodeUtf8(bytes)), parse);
  const metadata = isJsonObject(message['metadata']) ? message['metadata'] : {};
  let context: JsonObject | null = null;
  const eventType = readText(message, 'event_type', MAX_NAME_LENGTH) ?? '';
  if (eventType === '') throw invalid('event_type', 'a notification has a text there');
  if (message['payload'] === undefined) throw invalid('payload', 'a notification has one');
  return {
    messageId: readId(message) ?? readId(metadata),
    cloudEvent,
    eventType,
    publisherId: readText(message, 'publisher_id', MAX_NAME_LENGTH) ?? '',
    priority: (readText(message, 'priority', MAX_NAME_LENGTH) ?? '').toUpperCase(),
    timestamp: readTimestamp(message) ?? readTimestamp(metadata),
    payload: message['payload'],
    // Few definitions ask for it, and it is half of what oslo sends.
    get context() {
      return context ??= readContext(message);
    },
  };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes);
  } catch (cause) {
    const place = `byte ${offsetOfBadByte(bytes)}`;
    throw new NephoError('not_utf8', `Cannot read a notification: ${place} is not UTF-8`, {
      cause,
      context: { place },
    });
  }
}

/** The decoder does not say where it stopped, so this halves the span in which it did. */
function offsetOfBadByte(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    try {
      // As a stream, so that a character cut in two at the end is no fault.
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return good;
}

/** An empty id is none: the identity then comes from the content. */
function readId(message: JsonObject): string | null {
  return readText(message, 'message_id', MAX_ID_LENGTH) || null;
}

function readTimestamp(message: JsonObject): string | null {
  const value = message['timestamp'];
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string') return value;
  throw new NephoError('timestamp_invalid', "Cannot read a notification's timestamp: not a text", {
    context: { place: 'timestamp' },
  });
}

function readText(message: JsonObject, key: string, limit: number): string | null {
  const value = message[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw invalid(key, 'it must be a text');
  checkStorableText(value, key, limit);
  return value;
}

/** oslo flattens the context into the message; older and later forms keep it as one object. */
function readContext(message: JsonObject): JsonObject {
  const nested = message['ctxt'] ?? message['context'];
  const context: JsonObject = isJsonObject(nested) ? { ...nested } : {};
  for (const key in message) {
    if (key.startsWith(CONTEXT_PREFIX)) {
      setOwn(context, key.slice(CONTEXT_PREFIX.length), message[key] ?? null);
    }
  }
  return context;
}

/** Assignment to `__proto__`, which a sender may name, would change the object's prototype. */
function setOwn(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true });
}

function invalid(place: string, remedy: string): NephoError {
  return new NephoError(
    'envelope_invalid',
    `Cannot read a notification: its '${place}' is missing or wrong, ${remedy}`,
    { context: { place } },
  );
}
