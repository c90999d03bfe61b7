import { formatPlace } from './definition_fault.ts';
import {
  type Attribute,
  ATTRIBUTES,
  isMeterType,
  type MeterDefinition,
} from './definition_meter.ts';
import { readMetadata } from './definition_metadata.ts';
import { pythonText } from './definition_plugin.ts';
import type { Rule } from './definition_rule.ts';
import { readVolume } from './definition_volume.ts';
import { isNephoError, NephoError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_SAMPLES_PER_NOTIFICATION } from './limits.ts';
import type { Notification } from './notification.ts';
import { isTruthy } from './path_compare.ts';
import { type Datum, type Effort, MAX_PATH_STEPS, rootDatum } from './path_compile.ts';
import type { Reading } from './sample.ts';
import { checkStorableText } from './storable_text.ts';
import { parseTimestamp } from './timestamp.ts';

/** What the definitions read from one notification. */
export interface Extraction {
  /** False if no definition is for this event type and priority. */
  matched: boolean;
  /**
   * In the order of the definitions. Readings of one notification may share one metadata object, so that
   * it need be hashed only once: never change it.
   */
  readings: Reading[];
  /** Meters whose volume was null or absent, which is normal: they give no sample. */
  withoutVolume: string[];
}

interface Extracting {
  readonly notification: Notification;
  readonly root: Datum;
  readonly effort: Effort;
  readonly readings: Reading[];
  readonly withoutVolume: string[];
  readonly metadata: Map<string, JsonObject>;
  timestamp: string | null;
  userId: string | null | undefined;
  projectId: string | null | undefined;
}

/** The values of one sample before they are checked; undefined where no rule is. */
type Values = Partial<Record<Attribute, JsonValue>>;

/** Reasons that the quarantine knows; anything else that goes wrong in here is `definition_failed`. */
const REASONS: ReadonlySet<string> = new Set([
  'volume_invalid',
  'timestamp_missing',
  'timestamp_invalid',
  'resource_missing',
  'too_many_samples',
  'text_invalid',
  'name_too_long',
  'too_large',
]);

/**
 * Applies definitions to one notification.
 *
 * @throws {NephoError} a reason of the quarantine, with `meter`, `place` (the attribute) and `definition`
 * (file, line, column) in its context
 */
export function extractReadings(
  definitions: readonly MeterDefinition[],
  notification: Notification,
): Extraction {
  const extracting: Extracting = {
    notification,
    root: rootDatum({
      ctxt: notification.context,
      publisher_id: notification.publisherId,
      event_type: notification.eventType,
      payload: notification.payload,
      metadata: { message_id: notification.messageId, timestamp: notification.timestamp },
    }),
    effort: { steps: MAX_PATH_STEPS },
    readings: [],
    withoutVolume: [],
    metadata: new Map(),
    timestamp: null,
    userId: undefined,
    projectId: undefined,
  };
  for (const definition of definitions) {
    if (definition.lookup !== null) extractLookup(definition, definition.lookup, extracting);
    else if (definition.each !== null) extractEach(definition, definition.each, extracting);
    else extractOne(definition, extracting.root, extracting);
  }
  const { readings, withoutVolume } = extracting;
  return { matched: true, readings, withoutVolume };
}

function extractEach(definition: MeterDefinition, each: Rule, extracting: Extracting): void {
  const { root, effort } = extracting;
  const found = guard(
    definition,
    'each',
    () => each.data(root, effort, MAX_SAMPLES_PER_NOTIFICATION + 1),
  );
  if (found.length === 0) extracting.withoutVolume.push(definition.name);
  if (found.length > MAX_SAMPLES_PER_NOTIFICATION) throw tooMany(definition);
  for (const datum of found) extractOne(definition, datum, extracting);
}

function extractOne(definition: MeterDefinition, from: Datum, extracting: Extracting): void {
  const { rules } = definition;
  const { effort } = extracting;
  const read = (attribute: Attribute): JsonValue =>
    guard(definition, attribute, () => rules[attribute]?.first(from, effort) ?? null);
  const volume = read('volume');
  if (volume === null) {
    extracting.withoutVolume.push(definition.name);
    return;
  }
  addReading(definition, from, extracting, {
    volume,
    // What finds nothing stands for itself, as in the ancestor.
    name: rules.name.constant ?? read('name') ?? rules.name.text,
    type: rules.type.constant ?? read('type') ?? rules.type.text,
    unit: rules.unit.constant ?? read('unit') ?? rules.unit.text,
    resource_id: read('resource_id'),
    user_id: rules.user_id === undefined ? null : read('user_id'),
    project_id: rules.project_id === undefined ? null : read('project_id'),
    timestamp: rules.timestamp === undefined ? null : read('timestamp'),
  });
}

/**
 * Lists of values side by side, one sample for each place. The names say how many there are; another
 * attribute has as many, or (unless `lookup` names it) one for all.
 */
function extractLookup(
  definition: MeterDefinition,
  lookup: ReadonlySet<string>,
  extracting: Extracting,
): void {
  const { rules } = definition;
  const { root, effort } = extracting;
  const all = (rule: Rule, attribute: Attribute) =>
    guard(definition, attribute, () => rule.all(root, effort, MAX_SAMPLES_PER_NOTIFICATION + 1));
  const names = all(rules.name, 'name');
  if (names.length > MAX_SAMPLES_PER_NOTIFICATION) throw tooMany(definition);
  const lists: Partial<Record<Attribute, JsonValue[]>> = { name: names };
  for (const attribute of ATTRIBUTES) {
    const rule = rules[attribute];
    if (rule === undefined || attribute === 'name') continue;
    if (rule.constant !== undefined) {
      lists[attribute] = names.map(() => rule.constant ?? null);
      continue;
    }
    const values = all(rule, attribute);
    const ownDefault = values.length === 0 && !lookup.has(attribute);
    lists[attribute] = ownDefault ? [defaultOf(rule, attribute)] : values;
  }
  const volumes = lists.volume ?? [];
  if (names.length === 0 || volumes.length === 0) {
    extracting.withoutVolume.push(definition.name);
    return;
  }
  for (const attribute of ATTRIBUTES) {
    const count = lists[attribute]?.length ?? names.length;
    if (count === names.length || (count === 1 && !lookup.has(attribute))) continue;
    throw mismatch(definition, attribute, { count, names: names.length });
  }
  for (let i = 0; i < names.length; i += 1) {
    const values: Values = {};
    for (const attribute of ATTRIBUTES) {
      const list = lists[attribute];
      values[attribute] = list?.[list.length === 1 ? 0 : i] ?? null;
    }
    if (values.volume === null) extracting.withoutVolume.push(definition.name);
    else addReading(definition, root, extracting, values);
  }
}

function defaultOf(rule: Rule, attribute: Attribute): JsonValue {
  return attribute === 'type' || attribute === 'unit' ? rule.text : null;
}

function addReading(
  definition: MeterDefinition,
  from: Datum,
  extracting: Extracting,
  values: Values,
): void {
  if (extracting.readings.length >= MAX_SAMPLES_PER_NOTIFICATION) throw tooMany(definition);
  const meter = guard(definition, 'name', () => readName(values.name ?? null));
  try {
    extracting.readings.push({
      meter,
      type: readType(values.type ?? null),
      unit: readText(values.unit ?? null, 'unit', MAX_NAME_LENGTH) ?? '',
      volume: readVolume(values.volume ?? null),
      resource_id: readResource(values.resource_id ?? null),
      project_id: readText(values.project_id ?? null, 'project_id', MAX_ID_LENGTH) ??
        defaultProject(extracting),
      user_id: readText(values.user_id ?? null, 'user_id', MAX_ID_LENGTH) ??
        defaultUser(extracting),
      timestamp: readTime(values.timestamp ?? null, extracting),
      metadata: metadataFor(definition, from, extracting),
    });
  } catch (error) {
    throw explained(error, definition, meter);
  }
}

function readName(value: JsonValue): string {
  const name = readText(value, 'name', MAX_NAME_LENGTH);
  if (name === null) throw failed('Cannot name a sample: its name is null', 'name');
  return name;
}

function readType(value: JsonValue) {
  if (isMeterType(value)) return value;
  throw failed('Cannot type a sample: its type is not gauge, delta or cumulative', 'type');
}

function readResource(value: JsonValue): string {
  const resource = readText(value, 'resource_id', MAX_ID_LENGTH);
  if (resource !== null) return resource;
  throw new NephoError(
    'resource_missing',
    'Cannot make a sample without a resource: the path of resource_id finds nothing',
    { context: { place: 'resource_id' } },
  );
}

/** A text, or a number or boolean as text; null for null and for an empty text. */
function readText(value: JsonValue, place: string, limit: number): string | null {
  if (value === null || value === '') return null;
  const text = pythonText(value);
  if (text === null) throw failed(`Cannot read ${place}: it is a list or an object`, place);
  checkStorableText(text, place, limit);
  return text;
}

function readTime(value: JsonValue, extracting: Extracting): string {
  if (isTruthy(value)) {
    if (typeof value === 'string') return parseTimestamp(value);
    throw new NephoError('timestamp_invalid', 'Cannot read a timestamp: it is no text', {
      context: { place: 'timestamp' },
    });
  }
  if (extracting.timestamp !== null) return extracting.timestamp;
  const { timestamp } = extracting.notification;
  if (timestamp === null) {
    throw new NephoError(
      'timestamp_missing',
      'Cannot date a sample: neither the notification nor the definition gives a time',
      { context: { place: 'timestamp' } },
    );
  }
  extracting.timestamp = parseTimestamp(timestamp);
  return extracting.timestamp;
}

/** Nova and its like write `user_id`, Heat and older services `user`. */
function defaultUser(extracting: Extracting): string | null {
  const { context } = extracting.notification;
  extracting.userId ??= readText(
    context['user_id'] ?? context['user'] ?? null,
    'user_id',
    MAX_ID_LENGTH,
  );
  return extracting.userId;
}

function defaultProject(extracting: Extracting): string | null {
  const { context } = extracting.notification;
  extracting.projectId ??= readText(
    context['project_id'] ?? context['tenant_id'] ?? null,
    'project_id',
    MAX_ID_LENGTH,
  );
  return extracting.projectId;
}

function metadataFor(definition: MeterDefinition, from: Datum, extracting: Extracting): JsonObject {
  const { notification, effort, metadata } = extracting;
  if (from !== extracting.root) {
    return readMetadata(definition.metadata, notification, from, effort);
  }
  const { signature } = definition.metadata;
  const known = metadata.get(signature);
  if (known !== undefined) return known;
  const made = readMetadata(definition.metadata, notification, from, effort);
  metadata.set(signature, made);
  return made;
}

function guard<T>(definition: MeterDefinition, attribute: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw explained(error, definition, definition.name, attribute);
  }
}

/** Says which definition failed, and gives a reason that the quarantine knows. */
function explained(
  error: unknown,
  definition: MeterDefinition,
  meter: string,
  attribute?: string,
): unknown {
  if (!isNephoError(error)) return error;
  const code = REASONS.has(error.code) ? error.code : 'definition_failed';
  const place = attribute ?? String(error.context['place'] ?? placeFor(error.code));
  return new NephoError(code, error.message, {
    context: { meter, place, definition: formatPlace(definition.place) },
    cause: error,
  });
}

function placeFor(code: string): string {
  if (code.startsWith('timestamp')) return 'timestamp';
  return code === 'volume_invalid' ? 'volume' : 'metadata';
}

function failed(message: string, place: string): NephoError {
  return new NephoError('definition_failed', message, { context: { place } });
}

function tooMany(definition: MeterDefinition): NephoError {
  return new NephoError(
    'too_many_samples',
    `Cannot take the samples of '${definition.name}': the notification gives more than ${MAX_SAMPLES_PER_NOTIFICATION}`,
    {
      context: { meter: definition.name, place: 'name', definition: formatPlace(definition.place) },
    },
  );
}

function mismatch(
  definition: MeterDefinition,
  attribute: string,
  { count, names }: { count: number; names: number },
): NephoError {
  return new NephoError(
    'definition_failed',
    `Cannot pair the lists of '${definition.name}': ${names} names but ${count} values of ${attribute}`,
    {
      context: {
        meter: definition.name,
        place: attribute,
        definition: formatPlace(definition.place),
      },
    },
  );
}
