import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { CompiledAttribute } from '../../meters/expression_attribute.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { meterName } from './definition_value.ts';
import { areEqualJson, mapped } from './json_equality.ts';
import type { RestSampling } from './rest_definition.ts';

/** What one entry gives: a value under the name of its meter, after skipping and mapping. */
export interface Sampled {
  readonly name: string;
  readonly value: JsonValue;
}

/** One of several meters that cannot be read while others can. */
export type OnMissing = (name: string, detail: string) => void;

/** UTF-16 units of the field that names one of several meters. */
const MAX_PART_LENGTH = 100;

/**
 * The values of an entry.
 *
 * @throws {NephoError} `value_invalid` if there is none
 */
export function sampledValues(
  sampling: RestSampling,
  item: JsonObject,
  onMissing: OnMissing,
): Sampled[] {
  const { value, name, skipValues } = sampling;
  const isSkipped = (found: JsonValue) => skipValues.some((each) => areEqualJson(each, found));
  if (value.kind === 'one') {
    const found = read(value.attribute, item);
    return isSkipped(found) ? [] : [{ name, value: mappedValue(sampling, found) }];
  }
  const list = read(value.list, item);
  if (!Array.isArray(list)) throw invalid(`'${value.list.text}' is no list of objects`);
  const samples = new Map<string, Sampled>();
  for (const part of list) {
    const partName = isJsonObject(part) ? part[value.nameKey] ?? null : null;
    if (typeof partName !== 'string' || !isNamePart(partName)) {
      onMissing(
        meterName(name),
        `An entry of '${value.list.text}' has no usable '${value.nameKey}'`,
      );
      continue;
    }
    const meter = meterName(name, partName);
    if (samples.has(meter)) {
      onMissing(meter, `'${value.list.text}' holds it twice, the first is kept`);
    } else {
      const found = attempt(value.attribute, part, (detail) => onMissing(meter, detail));
      if (found === undefined || isSkipped(found) || isSkipped(partName)) continue;
      samples.set(meter, { name: meter, value: found });
    }
  }
  return [...samples.values()];
}

function isNamePart(text: string): boolean {
  return text !== '' && text.length <= MAX_PART_LENGTH && !/[\p{C}]/u.test(text);
}

function mappedValue({ valueMapping, defaultValue }: RestSampling, value: JsonValue): JsonValue {
  if (valueMapping === null) return value;
  if (Array.isArray(value) || isJsonObject(value)) {
    throw invalid('a list or an object cannot be mapped');
  }
  return mapped(valueMapping, value) ?? defaultValue;
}

function attempt(
  attribute: CompiledAttribute,
  from: JsonValue,
  onFailure: (detail: string) => void,
): JsonValue | undefined {
  try {
    return read(attribute, from);
  } catch (error) {
    if (!isNephoError(error)) throw error;
    onFailure(error.message);
    return undefined;
  }
}

function read(attribute: CompiledAttribute, from: JsonValue): JsonValue {
  try {
    return attribute.read(from);
  } catch (error) {
    if (!isNephoError(error)) throw error;
    throw invalid(`'${attribute.text.slice(0, 100)}': ${error.message}`);
  }
}

/**
 * The metadata that a definition picks of an entry, renamed as it says. A field that is not there is
 * left out.
 *
 * @throws {NephoError} `value_invalid` if an operation fails
 */
export function pickedMetadata(sampling: RestSampling, item: JsonObject): JsonObject {
  const entries = new Map<string, JsonValue>();
  for (const { key, attribute } of sampling.metadata) {
    try {
      entries.set(key, attribute.read(item));
    } catch (error) {
      if (!isNephoError(error)) throw error;
      if (error.context['failure'] === 'key_missing') continue;
      throw invalid(`metadata '${key.slice(0, 100)}': ${error.message}`);
    }
  }
  for (const { key } of sampling.metadata) {
    const renamed = sampling.metadataMapping.get(key);
    const value = entries.get(key);
    if (renamed === undefined || value === undefined) continue;
    entries.set(renamed, value);
    if (!sampling.preserveMapped) entries.delete(key);
  }
  return Object.fromEntries(entries);
}

function invalid(why: string): NephoError {
  return new NephoError('value_invalid', `Cannot read an entry: ${why}`, { retryable: true });
}
