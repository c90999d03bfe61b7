/**
 * What a polling worker puts into the intake: readings, gaps and the end of a cycle. docs/formats.md has
 * the format; a change of it is a new version.
 */
import type { GapReason, RemarkCode } from './poll_gap.ts';
import { ExactNumber, type JsonObject, type JsonValue } from './json.ts';
import type { MeterType, Reading } from './sample.ts';

export const POLL_FORMAT = 1;
/** How every poll message begins: no notification does. */
const BEGINNING = '{"nepho_poll":';
const ENCODER = new TextEncoder();
const BEGINNING_BYTES = ENCODER.encode(BEGINNING);

/** One group's share of one cycle of a source: what a message is about. */
export interface PollHead {
  cloud: string;
  source: string;
  /** From 0. */
  group: number;
  /** Nominal time of the cycle, canonical UTC timestamp. */
  cycle: string;
}

/** All readings of one unit by one pollster: stored whole, or not at all. */
export interface PolledUnit {
  pollster: string;
  unit: string;
  readings: readonly Reading[];
}

export interface GapMeter {
  name: string;
  type: MeterType;
}

/** Readings that were expected and are not there. */
export interface PollGap {
  pollster: string;
  /** Null if it is not known which units are missing, since they could not be listed. */
  unit: string | null;
  /**
   * 1 for a named unit. Else how many there should be in all, estimated from cycles before: the store takes
   * off what it knows by name, from this attempt and others. Of `below_expectation` it is readings.
   */
  units: number;
  meters: readonly GapMeter[];
  /** True if other meters of the unit could be read: in the same message, and it counts if that does. */
  partial: boolean;
  reason: GapReason;
  detail: string;
}

export interface PollRemark {
  code: RemarkCode;
  unit: string | null;
  detail: string;
}

/** What became of one pollster in a cycle. */
export interface PollsterOutcome {
  name: string;
  /** Units found. */
  discovered: number;
  /** True if the listing of its units came to its end. */
  listed: boolean;
  meters: readonly GapMeter[];
}

/** The end of a group's cycle: what is not here by now does not come. */
export interface PollEnd {
  /** Null if nobody has polled. */
  started_at: string | null;
  ended_at: string;
  pollsters: readonly PollsterOutcome[];
  /** Requests that were made. */
  requests: number;
  /** How often each kind of oddity was met, and the first of them. */
  remark_counts: Readonly<Partial<Record<RemarkCode, number>>>;
  remarks: readonly PollRemark[];
}

export interface PollMessage {
  head: PollHead;
  units: readonly PolledUnit[];
  gaps: readonly PollGap[];
  end: PollEnd | null;
}

/** What the messages of one group of a source are sharded by: they stay in their order. */
export function pollKey(head: Pick<PollHead, 'cloud' | 'source' | 'group'>): string {
  return `poll:${head.cloud}/${head.source}/${head.group}`;
}

/**
 * The origin of the samples of one unit. It has the cycle's nominal time and not that of the reading, nor
 * the group or the worker: who polls again, or later, brings the same origin.
 */
export function pollOrigin(
  { cloud, source, cycle }: PollHead,
  { pollster, unit }: Pick<PolledUnit, 'pollster' | 'unit'>,
): string {
  return `poll:${cloud}/${source}@${cycle}/${pollster}/${unit}`;
}

/** The name of a gap, which is that of the origin which closes it; a unit partly read has another. */
export function gapOrigin(head: PollHead, gap: PollGap): string {
  if (gap.unit === null) {
    const listing = `poll:${head.cloud}/${head.source}@${head.cycle}/${gap.pollster}#${head.group}`;
    return gap.reason === 'below_expectation' ? `${listing}!expectation` : listing;
  }
  const origin = pollOrigin(head, { pollster: gap.pollster, unit: gap.unit });
  return gap.partial ? `${origin}#${gap.meters[0]?.name ?? ''}` : origin;
}

export function isPollMessage(bytes: Uint8Array): boolean {
  return BEGINNING_BYTES.every((byte, index) => bytes[index] === byte);
}

/** The message as JSON in UTF-8. */
export function encodePollMessage(message: PollMessage): Uint8Array {
  const units = message.units.map(encodeUnit);
  return joinPollMessage(message.head, { units, gaps: message.gaps, end: message.end });
}

/** A message of units that are encoded already. */
export function joinPollMessage(
  { cloud, source, group, cycle }: PollHead,
  { units, gaps, end }: { units: readonly string[]; gaps: readonly PollGap[]; end: PollEnd | null },
): Uint8Array {
  const head = JSON.stringify({ nepho_poll: POLL_FORMAT, cloud, source, group, cycle });
  const rest = JSON.stringify({ gaps, end });
  return ENCODER.encode(`${head.slice(0, -1)},"units":[${units.join(',')}],${rest.slice(1)}`);
}

/** Members of a reading that are said once for a unit. */
const SHARED = ['resource_id', 'project_id', 'user_id', 'timestamp'] as const;

/**
 * One unit as its message has it. What its readings share is said once: metadata by its object, project,
 * user, resource and time by that of the first reading.
 */
export function encodeUnit({ pollster, unit, readings }: PolledUnit): string {
  const metadata: JsonObject[] = [];
  const numbers = new Map<JsonObject, number>();
  const [first] = readings;
  const samples = readings.map((reading) => {
    let number = numbers.get(reading.metadata);
    if (number === undefined) {
      number = metadata.push(plain(reading.metadata)) - 1;
      numbers.set(reading.metadata, number);
    }
    const { meter, type, volume } = reading;
    const sample: JsonObject = { meter, type, unit: reading.unit, volume };
    if (number !== 0) sample['metadata'] = number;
    for (const key of SHARED) if (reading[key] !== first?.[key]) sample[key] = reading[key];
    return sample;
  });
  const shared: JsonObject = {};
  if (first !== undefined) { for (const key of SHARED) shared[key] = first[key]; }
  return JSON.stringify({ pollster, unit, ...shared, metadata, samples });
}

/** Numbers beyond a double become text: in metadata nobody calculates with them. */
function plain(metadata: JsonObject): JsonObject {
  return holdsExactNumber(metadata) ? plainValue(metadata) as JsonObject : metadata;
}

function holdsExactNumber(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof ExactNumber) return true;
  return Object.values(value).some(holdsExactNumber);
}

function plainValue(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return value.map(plainValue);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]));
}
