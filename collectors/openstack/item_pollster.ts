import { NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import type { Reading } from '../../meters/sample.ts';
import type { PollContext, Pollster, PollsterMeter, Unit } from '../polling/pollster.ts';
import { readNumber } from './json_number.ts';
import type { Listed } from './listed.ts';

/** A meter, and how its volume is read from an entry of a listing. */
export interface ItemMeter extends PollsterMeter {
  /** The number as it stands there, a code, or 1 for what is counted by being there. */
  value: (item: JsonObject) => JsonValue | undefined;
  /** True if not every entry has it: one without is no gap. */
  optional?: boolean;
  /** True if it may be less than zero: a code for what is unknown, or what is overdrawn. */
  signed?: boolean;
}

/** Whose readings these are. */
export interface ItemSubject {
  /** The unit that is polled; {@link resourceId} may be a part of it. */
  unitId: string;
  resourceId: string;
  projectId: string | null;
  userId: string | null;
  /** Shared by all readings. */
  metadata: JsonObject;
  /** When the values were read: canonical UTC timestamp. */
  readAt: string;
}

export interface ItemPlan {
  /** `<service>.<thing>`: stands in the origin of the samples, so never changes. */
  name: string;
  discovery: string;
  meters: readonly ItemMeter[];
  /** `project_id`, or `tenant_id`, without. */
  projectId?: (item: JsonObject) => JsonValue | undefined;
  /** None without. */
  userId?: (item: JsonObject) => JsonValue | undefined;
  metadata: (item: JsonObject) => JsonObject;
}

/** A pollster that reads all it needs from the entry that its discovery brought. */
export function itemPollster(plan: ItemPlan): Pollster<Listed> {
  return {
    name: plan.name,
    discovery: plan.discovery,
    meters: plan.meters.map(declared),
    poll(unit, context) {
      const { item, readAt } = entryOf(unit, plan);
      const subject = {
        unitId: unit.id,
        resourceId: unit.id,
        projectId: plan.projectId === undefined ? projectOf(item) : idText(plan.projectId(item)),
        userId: idText(plan.userId?.(item)),
        metadata: plan.metadata(item),
        readAt,
      };
      return readMeters(plan.meters, item, subject, context);
    },
  };
}

/**
 * The readings of the meters that are wanted. What stands where a number should, and is none, is said
 * to be missing; the others are read all the same.
 */
export function readMeters(
  meters: readonly ItemMeter[],
  item: JsonObject,
  subject: ItemSubject,
  context: PollContext,
): Reading[] {
  const readings: Reading[] = [];
  for (const meter of meters) {
    if (!context.wants(meter.name)) continue;
    const volume = readVolume(meter, item, subject, context);
    if (volume === null) continue;
    readings.push({
      meter: meter.name,
      type: meter.type,
      unit: meter.unit,
      volume,
      resource_id: subject.resourceId,
      project_id: subject.projectId,
      user_id: subject.userId,
      timestamp: subject.readAt,
      metadata: subject.metadata,
    });
  }
  return readings;
}

/** A meter as a pollster announces it: without the way to read it. */
export function declared(meter: ItemMeter): PollsterMeter {
  return { name: meter.name, type: meter.type, unit: meter.unit };
}

/** The fields of an entry that make its metadata, under their own names; what it lacks is null. */
export function pick(item: JsonObject, fields: readonly string[]): JsonObject {
  return Object.fromEntries(fields.map((field) => [field, item[field] ?? null]));
}

/** An id, or null for anything that is none. */
export function idText(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The project under its name of today, or that of before 2017. */
export function projectOf(item: JsonObject): string | null {
  return idText(item['project_id']) ?? idText(item['tenant_id']);
}

/**
 * The entry that a unit of a listing carries.
 *
 * @throws {NephoError} `parse_error` for a unit that another discovery, or `resources:`, brought
 */
export function entryOf(
  unit: Unit,
  plan: Pick<ItemPlan, 'name' | 'discovery'>,
): Listed {
  const data: unknown = unit.data;
  if (
    typeof data === 'object' && data !== null && 'item' in data && isJsonObject(data.item) &&
    'readAt' in data && typeof data.readAt === 'string'
  ) return { item: data.item, readAt: data.readAt };
  throw new NephoError(
    'parse_error',
    `Cannot poll '${unit.id}' by '${plan.name}': it comes from no listing; name the discovery '${plan.discovery}'`,
  );
}

function readVolume(
  meter: ItemMeter,
  item: JsonObject,
  subject: ItemSubject,
  context: PollContext,
): string | null {
  const value = meter.value(item);
  if (meter.optional === true && (value === undefined || value === null)) return null;
  const number = readNumber(value);
  if (number === null || (number.volume.startsWith('-') && meter.signed !== true)) {
    const detail = `Cannot read '${meter.name}' of '${subject.resourceId}' from ${shown(value)}`;
    context.missing(subject.unitId, meter.name, 'value_invalid', detail);
    return null;
  }
  if (number.wasText) context.remark('number_as_text', subject.unitId, meter.name);
  return number.volume;
}

function shown(value: JsonValue | undefined): string {
  if (typeof value === 'string') return `'${value.slice(0, 80)}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === undefined || value === null ? 'nothing' : 'a value that is no number';
}
