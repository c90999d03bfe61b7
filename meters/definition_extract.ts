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
import type { MeterType, Reading } from './sample.ts';
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
  /** The attribute being read, for errors. */
  place: string;
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
    place: '',
    timestamp: null,
    userId: undefined,
    projectId: undefined,
  };
  for (const definition of definitions) {
    try {
      if (definition.lookup !== null) extractLookup(definition, definition.lookup, extracting);
      else if (definition.each !== null) extractEach(definition, definition.each, extracting);
      else extractOne(definition, extracting.root, extracting);
    } catch (error) {
      throw explained(error, definition, extracting.place);
    }
  }
  const { readings, withoutVolume } = extracting;
  return { matched: true, readings, withoutVolume };
}

function extractEach(definition: MeterDefinition, each: Rule, extracting: Extracting): void {
  extracting.place = 'each';
  const found = each.data(extracting.root, extracting.effort, MAX_SAMPLES_PER_NOTIFICATION + 1);
  if (found.length === 0) extracting.withoutVolume.push(definition.name);
  if (found.length > MAX_SAMPLES_PER_NOTIFICATION) throw tooMany(definition);
  for (const datum of found) extractOne(definition, datum, extracting);
}

function extractOne(definition: MeterDefinition, from: Datum, extracting: Extracting): void {
  const { rules } = definition;
  const volume = read('volume', rules.volume, from, extracting);
  if (volume === null) {
    extracting.withoutVolume.push(definition.name);
    return;
  }
  addReading(definition, from, extracting, {
    volume,
    // What finds nothing stands for itself, as in the ancestor.
    name: read('name', rules.name, from, extracting) ?? rules.name.text,
    type: read('type', rules.type, from, extracting) ?? rules.type.text,
    unit: read('unit', rules.unit, from, extracting) ?? rules.unit.text,
    resource_id: read('resource_id', rules.resource_id, from, extracting),
    user_id: read('user_id', rules.user_id, from, extracting),
    project_id: read('project_id', rules.project_id, from, extracting),
    timestamp: read('timestamp', rules.timestamp, from, extracting),
  });
}

function read(
  place: Attribute,
  rule: Rule | undefined,
  from: Datum,
  extracting: Extracting,
): JsonValue {
  if (rule === undefined) return null;
  extracting.place = place;
  return rule.first(from, extracting.effort);
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
  const { root } = extracting;
  const lists = readLists(definition, lookup, extracting);
  const count = lists.name?.length ?? 0;
  if (count === 0 || lists.volume?.length === 0) {
    extracting.withoutVolume.push(definition.name);
    return;
  }
  for (const attribute of ATTRIBUTES) {
    const given = lists[attribute]?.length ?? count;
    if (given === count || (given === 1 && !lookup.has(attribute))) continue;
    extracting.place = attribute;
    throw failed(
      `Cannot pair the lists of a lookup: there are ${count} names but ${given} values of ${attribute}`,
    );
  }
  for (let i = 0; i < count; i += 1) {
    const values: Values = {};
    for (const attribute of ATTRIBUTES) {
      const list = lists[attribute];
      values[attribute] = list?.[list.length === 1 ? 0 : i] ?? null;
    }
    if (values.volume === null) extracting.withoutVolume.push(definition.name);
    else addReading(definition, root, extracting, values);
  }
}

function readLists(
  definition: MeterDefinition,
  lookup: ReadonlySet<string>,
  extracting: Extracting,
): Partial<Record<Attribute, JsonValue[]>> {
  const { root, effort } = extracting;
  const lists: Partial<Record<Attribute, JsonValue[]>> = {};
  for (const attribute of ATTRIBUTES) {
    const rule = definition.rules[attribute];
    if (rule === undefined) continue;
    extracting.place = attribute;
    if (rule.isConstant) {
      // A name that is no path names nothing here; any other constant is for all samples.
      const count = attribute === 'name' ? 0 : lists.name?.length ?? 0;
      lists[attribute] = new Array<JsonValue>(count).fill(rule.first(root, effort));
      continue;
    }
    const values = rule.all(root, effort, MAX_SAMPLES_PER_NOTIFICATION + 1);
    if (values.length > MAX_SAMPLES_PER_NOTIFICATION) throw tooMany(definition);
    const wanted = attribute === 'name' || lookup.has(attribute);
    lists[attribute] = values.length === 0 && !wanted ? [defaultOf(rule, attribute)] : values;
  }
  return lists;
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
  const meter = text('name', values.name, MAX_NAME_LENGTH, extracting);
  if (meter === null) throw failed('Cannot name a sample: its name is null');
  extracting.readings.push({
    meter,
    type: readType(values.type, extracting),
    unit: text('unit', values.unit, MAX_NAME_LENGTH, extracting) ?? '',
    volume: volumeOf(values.volume ?? null, extracting),
    resource_id: readResource(values.resource_id, extracting),
    // An empty text is an answer, nobody's port for instance, and not replaced by who asked.
    project_id: values.project_id === null || values.project_id === undefined
      ? defaultProject(extracting)
      : text('project_id', values.project_id, MAX_ID_LENGTH, extracting),
    user_id: values.user_id === null || values.user_id === undefined
      ? defaultUser(extracting)
      : text('user_id', values.user_id, MAX_ID_LENGTH, extracting),
    timestamp: readTime(values.timestamp ?? null, extracting),
    metadata: metadataFor(definition, from, extracting),
  });
}

function volumeOf(value: JsonValue, extracting: Extracting): string {
  extracting.place = 'volume';
  return readVolume(value);
}

function readType(value: JsonValue | undefined, extracting: Extracting): MeterType {
  extracting.place = 'type';
  if (isMeterType(value)) return value;
  throw failed('Cannot type a sample: its type is not gauge, delta or cumulative');
}

function readResource(value: JsonValue | undefined, extracting: Extracting): string {
  const resource = text('resource_id', value, MAX_ID_LENGTH, extracting);
  if (resource !== null) return resource;
  throw new NephoError(
    'resource_missing',
    'Cannot make a sample without a resource: the path of resource_id finds nothing',
  );
}

/** A text, or a number or boolean as text; null for null and for an empty text. */
function text(
  place: Attribute,
  value: JsonValue | undefined,
  limit: number,
  extracting: Extracting,
): string | null {
  extracting.place = place;
  if (value === null || value === undefined || value === '') return null;
  const written = pythonText(value);
  if (written === null) throw failed(`Cannot read ${place}: it is a list or an object`);
  checkStorableText(written, place, limit);
  return written;
}

function readTime(value: JsonValue, extracting: Extracting): string {
  extracting.place = 'timestamp';
  if (isTruthy(value)) {
    if (typeof value === 'string') return parseTimestamp(value);
    throw new NephoError('timestamp_invalid', 'Cannot read a timestamp: it is no text');
  }
  if (extracting.timestamp !== null) return extracting.timestamp;
  const { timestamp } = extracting.notification;
  if (timestamp === null) {
    throw new NephoError(
      'timestamp_missing',
      'Cannot date a sample: neither the notification nor the definition gives a time',
    );
  }
  extracting.timestamp = parseTimestamp(timestamp);
  return extracting.timestamp;
}

/** Nova and its like write `user_id`, Heat and older services `user`. */
function defaultUser(extracting: Extracting): string | null {
  const { context } = extracting.notification;
  const value = context['user_id'] ?? context['user'];
  extracting.userId ??= text('user_id', value, MAX_ID_LENGTH, extracting);
  return extracting.userId;
}

function defaultProject(extracting: Extracting): string | null {
  const { context } = extracting.notification;
  const value = context['project_id'] ?? context['tenant_id'];
  extracting.projectId ??= text('project_id', value, MAX_ID_LENGTH, extracting);
  return extracting.projectId;
}

function metadataFor(definition: MeterDefinition, from: Datum, extracting: Extracting): JsonObject {
  const { notification, effort, metadata } = extracting;
  extracting.place = 'metadata';
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

/** Says which definition failed and where, and gives a reason that the quarantine knows. */
function explained(error: unknown, definition: MeterDefinition, place: string): unknown {
  if (!isNephoError(error)) return error;
  const code = REASONS.has(error.code) ? error.code : 'definition_failed';
  return new NephoError(code, error.message, {
    context: { meter: definition.name, place, definition: formatPlace(definition.place) },
    cause: error,
  });
}

function failed(message: string): NephoError {
  return new NephoError('definition_failed', message);
}

function tooMany(definition: MeterDefinition): NephoError {
  return new NephoError(
    'too_many_samples',
    `Cannot take the samples of '${definition.name}': the notification gives more than ${MAX_SAMPLES_PER_NOTIFICATION}`,
  );
}
