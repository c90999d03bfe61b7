import { z } from 'zod';
import { CALENDAR_UNITS } from '../meters/zone.ts';
import { asOfInput, checkpointsOutput } from './as_of_schema.ts';
import {
  countOutput,
  idInput,
  meterTypeOutput,
  nameInput,
  nextCursorOutput,
  timeInput,
  timeOutput,
} from './wire_schema.ts';

const MAX_METERS = 50;
const MAX_GROUPS = 12;
const MAX_PERCENTILES = 10;

/** Usage of what, of when, and how it is parted. */
export const usageInput = {
  /** One of `meter` and `meters` must be given. */
  meter: nameInput.optional(),
  meters: z.array(nameInput).min(1).max(MAX_METERS).optional(),
  resource_id: idInput.optional(),
  /** Null: what belongs to no project. */
  project_id: idInput.nullable().optional(),
  user_id: idInput.nullable().optional(),
  source: nameInput.optional(),
  /** Included. */
  from: timeInput,
  /** Excluded. */
  to: timeInput,
  /** Where hours, days, weeks and months of `every` begin: a name as Europe/Berlin. */
  zone: z.string().min(1).max(64).default('UTC'),
  /** Null gives the whole range as one span. */
  every: z.enum(CALENDAR_UNITS).nullable().default(null),
  /** `project_id`, `resource_id`, `meter`, `user_id`, `source`, and `metadata.` with a path. */
  group_by: z.array(nameInput).max(MAX_GROUPS).default([]),
  /** `zero` gives a row for each span of each group that has any. */
  fill: z.enum(['none', 'zero']).default('none'),
  as_of: asOfInput.optional(),
  /** Of the samples' volumes, 0 to 100. */
  percentiles: z.array(z.number().min(0).max(100)).max(MAX_PERCENTILES).default([]),
};

const usageSchema = z.object(usageInput);
export type UsageInput = z.output<typeof usageSchema>;

/** What a row must be read with. */
export const USAGE_FLAGS = [
  /** The meter has rows of another unit in this answer: they were not added up. */
  'unit_conflict',
  /** The meter has rows of another type in this answer. */
  'type_conflict',
  /** A counter began again from zero within the span; what it shows then was counted. */
  'counter_reset',
  /** A counter went back a little: nothing was counted, and two sources may disagree. */
  'counter_stepped_back',
  /** Samples came for sealed hours of it which no revision has counted yet: it will change. */
  'late_samples',
  /** The value of a gauge ran out because nothing was heard for the meter's staleness. */
  'expired',
] as const;

export const usageRowOutput = z.object({
  /** The values of `group_by`, as text; null where there is none. */
  group: z.record(z.string(), z.string().nullable()),
  meter: z.string(),
  type: meterTypeOutput,
  unit: z.string(),
  /** `[start, end)`. */
  start: timeOutput,
  end: timeOutput,
  /**
   * What is billed: the sum of a delta, the increase of a cumulative meter, and of a gauge its value times
   * the hours that it held, to 12 decimals.
   */
  quantity: z.string(),
  /** `GiB·h` of a gauge in GiB, else the unit. */
  usage_unit: z.string(),
  /** Of a gauge: the exact value of which `quantity` is rounded, times seconds. */
  unit_seconds: z.string().nullable(),
  /** Of the samples in the span: their number, sum, extremes and mean, not weighted by time. */
  count: countOutput,
  sum: z.string(),
  min: z.string().nullable(),
  max: z.string().nullable(),
  avg: z.string().nullable(),
  /** Of a gauge: `unit_seconds` by `covered`, to 12 decimals. */
  time_weighted_mean: z.string().nullable(),
  /** Of a gauge: seconds in which a value held, added up over the group's resources. */
  covered: z.string(),
  /** Of the other types: `quantity` by the seconds of the span, to 12 decimals. */
  rate: z.string().nullable(),
  /** Of the samples' volumes, by the numbers asked for. */
  percentiles: z.record(z.string(), z.string()).optional(),
  flags: z.array(z.enum(USAGE_FLAGS)),
  /** All of the span is sealed, and nothing late is known: only a later revision can change it. */
  sealed: z.boolean(),
});

export const openGapsOutput = z.object({
  /** Readings that were expected of these meters in the range and have not come. */
  count: countOutput,
  /** The first 100 of them. */
  gaps: z.array(z.object({
    meters: z.array(z.string()),
    /** Null if it is not known whose reading is missing. */
    resource_id: z.string().nullable(),
    at: timeOutput,
    reason: z.string(),
  })),
});

export const usageOutput = z.object({
  usage: z.array(usageRowOutput),
  next_cursor: nextCursorOutput,
  /** What the answer was made from: as `as_of` they give the same answer again. */
  checkpoints: checkpointsOutput,
  /** Every hour before this is sealed; null if none is. */
  sealed_until: timeOutput.nullable(),
  /** Hours that are not sealed, or late samples that no revision has counted yet. */
  contains_unsealed: z.boolean(),
  open_gaps: openGapsOutput,
});
