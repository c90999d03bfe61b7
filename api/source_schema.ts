import { z } from 'zod';
import type { JsonObject } from '../meters/json.ts';
import { countOutput, nameInput, timeOutput } from './wire_schema.ts';

/** As in a Schedule's id and in origins: what both can hold, and a person can type. */
const nameOfSource = z.string().regex(
  /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,79})$/,
  'It is not 1 to 80 letters, digits, dots, hyphens or underscores',
);

/** A source of polling.yaml after `parsePolling`: nothing that is secret is in it. */
export const sourceSpecInput = z.strictObject({
  cloud: nameOfSource,
  name: nameOfSource,
  interval: z.int().min(10).max(86_400),
  meters: z.array(nameInput).min(1).max(10_000),
  resources: z.array(z.string().max(1_000)).max(10_000),
  discovery: z.array(z.string().max(1_000)).max(100),
  groups: z.int().min(1).max(256),
  concurrency: z.int().min(1).max(1_000),
  expect: z.array(z.strictObject({ meter: nameInput, at_least: z.int().min(1).max(1_000_000_000) }))
    .max(1_000),
});

export type SourceSpec = z.output<typeof sourceSpecInput>;

export const sourceNameInput = z.object({ cloud: nameOfSource, source: nameOfSource });

const fieldChange = z.object({ field: z.string(), before: z.unknown(), after: z.unknown() });

export const planOutput = z.object({
  changes: z.array(z.object({
    action: z.enum(['create', 'change', 'delete']),
    cloud: z.string(),
    source: z.string(),
    /** Ids of the Schedules that it has afterwards, or had. */
    schedules: z.array(z.string()),
    fields: z.array(fieldChange),
  })),
  unchanged: countOutput,
});

export type Plan = z.output<typeof planOutput>;

const groupOutput = z.object({
  schedule_id: z.string(),
  /** Null if Temporal has no such Schedule: run `sources apply` again. */
  paused: z.boolean().nullable(),
  note: z.string().nullable(),
  phase_seconds: countOutput,
  last_run: timeOutput.nullable(),
  next_run: timeOutput.nullable(),
  skipped_overlap: countOutput,
  missed_catchup: countOutput,
});

export const sourceOutput = z.object({
  cloud: z.string(),
  source: z.string(),
  interval_seconds: countOutput,
  digest: z.string(),
  applied_at: timeOutput,
  spec: z.custom<JsonObject>(),
  groups: z.array(groupOutput),
});

export type SourceAnswer = z.output<typeof sourceOutput>;

export const coverageOutput = z.object({
  cloud: z.string(),
  source: z.string(),
  cycle: timeOutput,
  meter: z.string(),
  expected: countOutput,
  received: countOutput,
  missing: countOutput,
  carried: countOutput,
  repaired: countOutput,
  reasons: z.record(z.string(), countOutput),
});

export const gapOutput = z.object({
  cloud: z.string(),
  source: z.string(),
  group: countOutput,
  cycle: timeOutput,
  pollster: z.string(),
  unit: z.string().nullable(),
  units: countOutput,
  meters: z.array(z.string()),
  /** One of GAP_REASONS. */
  reason: z.string(),
  detail: z.string(),
  recorded_at: timeOutput,
  repaired_at: timeOutput.nullable(),
  carried_by: timeOutput.nullable(),
});
