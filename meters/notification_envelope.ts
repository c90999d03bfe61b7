import { NephoError } from './errors.ts';
import { parseExactJson } from './exact_json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { MAX_ID_LENGTH } from './limits.ts';
import { checkStorableText } from './storable_text.ts';

export interface OpenedEnvelope {
  /** The notification proper, in oslo's flat form. */
  message: JsonObject;
  cloudEvent: { id: string; source: string } | null;
}

/** How the JSON of a notification is read, and the JSON within it. */
export type ParseJson = (text: string) => JsonValue;

const DECODER = new TextDecoder('utf-8', { fatal: true });
/** oslo.messaging accepts an envelope of its own major version, 2 since Havana. */
const SUPPORTED_VERSION = /^2\.\d+$/;

/**
 * Takes a notification out of what is around it: a structured CloudEvent (`data` or `data_base64`),
 * then oslo.messaging's envelope of version 2, each where there is one.
 *
 * @throws {NephoError} `not_an_object`, `envelope_invalid`, `not_utf8`, `not_json`, `too_deep`,
 * `text_invalid`, `name_too_long`; context `place` names the field
 */
export function openEnvelopes(value: JsonValue, parse: ParseJson = parseExactJson): OpenedEnvelope {
  const outer = asObject(value, '');
  if (outer['specversion'] === undefined) {
    return { message: openOsloEnvelope(outer, '', parse), cloudEvent: null };
  }
  const cloudEvent = { id: readName(outer, 'id'), source: readName(outer, 'source') };
  const { data, place } = cloudEventData(outer, parse);
  return { message: openOsloEnvelope(asObject(data, place), place, parse), cloudEvent };
}

/** CloudEvents 1.0, JSON format, section 3.1: `data` is JSON, or text; `data_base64` is bytes. */
function cloudEventData(
  event: JsonObject,
  parse: ParseJson,
): { data: JsonValue; place: string } {
  if (typeof event['specversion'] !== 'string' || !event['specversion'].startsWith('1.')) {
    throw envelopeInvalid('specversion', "a CloudEvent of version '1.0' is expected");
  }
  const { data, data_base64: base64 } = event;
  if (data !== undefined && base64 === undefined) {
    return { data: typeof data === 'string' ? parseAt(data, 'data', parse) : data, place: 'data' };
  }
  if (typeof base64 !== 'string' || data !== undefined) {
    throw envelopeInvalid('data', "a CloudEvent here has either 'data' or a text 'data_base64'");
  }
  return { data: parseAt(decodeBase64(base64), 'data_base64', parse), place: 'data_base64' };
}

function openOsloEnvelope(outer: JsonObject, at: string, parse: ParseJson): JsonObject {
  const version = outer['oslo.version'];
  const text = outer['oslo.message'];
  if (version === undefined && text === undefined) return outer;
  if (typeof version !== 'string' || !SUPPORTED_VERSION.test(version)) {
    throw envelopeInvalid(join(at, 'oslo.version'), "a text such as '2.0' is expected");
  }
  const place = join(at, 'oslo.message');
  if (typeof text !== 'string') throw envelopeInvalid(place, 'a text that holds JSON is expected');
  return asObject(parseAt(text, place, parse), place);
}

function decodeBase64(base64: string): string {
  const place = 'data_base64';
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw envelopeInvalid(place, 'base64 is expected', cause);
  }
  try {
    return DECODER.decode(bytes);
  } catch (cause) {
    throw new NephoError('not_utf8', `Cannot read '${place}': it does not hold UTF-8`, {
      cause,
      context: { place },
    });
  }
}

/** Parses the JSON inside a field, and says in errors which field. */
function parseAt(text: string, place: string, parse: ParseJson): JsonValue {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof NephoError)) throw cause;
    const inside = `${place}: ${String(cause.context['place'] ?? '')}`;
    throw new NephoError(cause.code, `Cannot read the JSON in '${place}': ${cause.message}`, {
      cause,
      context: { ...cause.context, place: inside },
    });
  }
}

function readName(event: JsonObject, key: string): string {
  const value = event[key];
  if (typeof value !== 'string' || value === '') {
    throw envelopeInvalid(key, 'a CloudEvent has a text there');
  }
  checkStorableText(value, key, MAX_ID_LENGTH);
  return value;
}

function asObject(value: JsonValue, place: string): JsonObject {
  if (isJsonObject(value)) return value;
  const what = place === '' ? 'a notification' : `'${place}'`;
  throw new NephoError('not_an_object', `Cannot read ${what}: it is JSON, but not an object`, {
    context: { place },
  });
}

function envelopeInvalid(place: string, remedy: string, cause?: unknown): NephoError {
  return new NephoError(
    'envelope_invalid',
    `Cannot read a notification: its '${place}' is missing or wrong, ${remedy}`,
    { context: { place }, cause },
  );
}

function join(parent: string, key: string): string {
  return parent === '' ? key : `${parent}.${key}`;
}
