import type { Rule } from './definition_rule.ts';
import { NephoError } from './errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { MAX_METADATA_LENGTH } from './limits.ts';
import type { Notification } from './notification.ts';
import { isTruthy } from './path_compare.ts';
import type { Datum, Effort } from './path_compile.ts';
import { checkStorableText } from './storable_text.ts';

/** What a definition keeps of a notification beside the sample itself. */
export interface MetadataRules {
  readonly signature: string;
  readonly rules: readonly (readonly [name: string, rule: Rule])[];
  readonly user: Rule | null;
}

/** Ceilometer's `reserved_metadata_namespace` and `reserved_metadata_length`, at their defaults. */
const USER_PREFIX = 'metering.';
const USER_VALUE_LENGTH = 256;

/**
 * The metadata of a sample, as Ceilometer makes it: the named rules whose value is not empty, the user's
 * `metering.` entries under `user_metadata`, and if that gives nothing, the payload (under `each`, the
 * element) with `event_type` and `host`.
 *
 * @throws {NephoError} `definition_failed`, `text_invalid`, `too_large`
 */
export function readMetadata(
  rules: MetadataRules,
  notification: Notification,
  from: Datum,
  effort: Effort,
): JsonObject {
  const metadata: JsonObject = {};
  for (const [name, rule] of rules.rules) {
    const value = rule.first(from, effort);
    if (isTruthy(value)) setOwn(metadata, name, value);
  }
  const user = rules.user?.first(from, effort) ?? null;
  if (isTruthy(user)) addUserMetadata(metadata, user);
  for (const _ in metadata) return checked(metadata);
  const payload = isJsonObject(notification.payload) ? notification.payload : {};
  return checked({
    ...payload,
    event_type: notification.eventType,
    host: notification.publisherId,
  });
}

function addUserMetadata(metadata: JsonObject, user: JsonValue): void {
  if (!isJsonObject(user)) {
    throw new NephoError(
      'definition_failed',
      'Cannot read user_metadata: its path finds no object',
    );
  }
  const found: JsonObject = {};
  let any = false;
  for (const [key, value] of Object.entries(user)) {
    if (!key.startsWith(USER_PREFIX)) continue;
    const name = key.slice(USER_PREFIX.length).replaceAll('.', '_');
    if (Object.hasOwn(metadata, name)) continue;
    setOwn(found, name, typeof value === 'string' ? cut(value) : value);
    any = true;
  }
  if (any) metadata['user_metadata'] = found;
}

/** Cuts by code points, as Python does. */
function cut(text: string): string {
  return text.length <= USER_VALUE_LENGTH
    ? text
    : Array.from(text).slice(0, USER_VALUE_LENGTH).join('');
}

function setOwn(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value;
  else {Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });}
}

function checked(metadata: JsonObject): JsonObject {
  const length = checkValue(metadata);
  if (length > MAX_METADATA_LENGTH) {
    throw new NephoError(
      'too_large',
      `Cannot keep metadata of ${length} characters: at most ${MAX_METADATA_LENGTH} are kept, so name the attributes to keep`,
    );
  }
  return metadata;
}

/** Checks all texts, and returns about how long the value is in JSON. */
function checkValue(value: JsonValue): number {
  if (typeof value === 'string') {
    checkStorableText(value, 'metadata', Number.POSITIVE_INFINITY);
    return value.length + 2;
  }
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, item) => sum + checkValue(item) + 1, 2);
  }
  if (!isJsonObject(value)) return 4;
  let length = 2;
  for (const key of Object.keys(value)) {
    checkStorableText(key, 'metadata', Number.POSITIVE_INFINITY);
    length += key.length + 4 + checkValue(value[key] ?? null);
  }
  return length;
}
