import { createHmac, timingSafeEqual } from 'node:crypto';
import { ExactNumber, type JsonObject, type JsonValue } from '../meters/json.ts';
import type { Sample } from '../meters/sample.ts';
import { pythonBytesRepr, pythonStr, sortedEntries, strictUtf8 } from './python_str.ts';

/**
 * Ceilometer's signature of a sample (ceilometer/publisher/utils.py), for its agents and consumers at
 * our border and for nothing else: names and values run together without a separator, so other
 * messages have the same signature; nothing in it stops a repetition; and who can verify can forge.
 */

const SIGNATURE = 'message_signature';

/**
 * HMAC-SHA256 over the flattened message, 64 lower-case hexadecimal digits. A `message_signature` in
 * the message is passed over.
 *
 * @param message parsed so that every number is an `ExactNumber`: 1.0 and 1 have other signatures
 * @throws {NephoError} `text_invalid` for half a surrogate pair
 */
export function ceilometerSignature(message: JsonObject, secret: string): string {
  const hmac = createHmac('sha256', strictUtf8(secret));
  for (const [name, value] of flatten(message, '')) {
    if (name === SIGNATURE) continue;
    hmac.update(strictUtf8(name)).update(strictUtf8(value));
  }
  return hmac.digest('hex');
}

/**
 * True if the message bears the signature that the secret gives. Takes as long whatever is in the
 * signature. Ceilometer takes any message when the secret is empty: this takes none.
 *
 * @param message as for {@link ceilometerSignature}
 * @throws {NephoError} `text_invalid` for half a surrogate pair
 */
export function verifyCeilometerSignature(message: JsonObject, secret: string): boolean {
  const given = message[SIGNATURE];
  if (secret === '' || typeof given !== 'string') return false;
  const expected = Buffer.from(ceilometerSignature(message, secret));
  const bytes = Buffer.from(given);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

/**
 * A sample as Ceilometer's publishers send it, for consumers that know nothing else. It comes as JSON
 * text, so that the volume keeps all its digits.
 */
export function signedMeteringMessage(sample: Sample, secret: string): string {
  const message: JsonObject = {
    source: sample.source,
    counter_name: sample.meter,
    counter_type: sample.type,
    counter_unit: sample.unit,
    counter_volume: new ExactNumber(sample.volume),
    user_id: sample.user_id,
    user_name: null,
    project_id: sample.project_id,
    project_name: null,
    resource_id: sample.resource_id,
    timestamp: sample.timestamp,
    resource_metadata: sample.metadata,
    message_id: sample.id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    monotonic_time: null,
  };
  return writeJson({ ...message, [SIGNATURE]: ceilometerSignature(message, secret) });
}

/** Names and values in the order of the names on each level; a nested name is `parent:child`. */
function* flatten(object: JsonObject, prefix: string): Generator<[string, string]> {
  for (const [key, value] of sortedEntries(object)) {
    const name = `${prefix}${key}`;
    if (typeof value !== 'object' || value === null || value instanceof ExactNumber) {
      yield [name, pythonStr(value)];
    } else if (Array.isArray(value)) yield [name, pythonBytesRepr(value)];
    else yield* flatten(value, `${name}:`);
  }
}

/** JSON with each `ExactNumber` as the number that it is. */
function writeJson(value: JsonValue): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) =>
    `${JSON.stringify(key)}:${writeJson(member)}`
  );
  return `{${members.join(',')}}`;
}
