import { z } from 'zod';
import type { JsonObject } from '../meters/json.ts';
import {
  MAX_CONCURRENCY,
  MAX_DISCOVERIES,
  MAX_EXPECTATIONS,
  MAX_EXPECTED_RESOURCES,
  MAX_GROUPS,
  MAX_INTERVAL_SECONDS,
  MAX_PATTERNS,
  MAX_RESOURCES,
  MIN_INTERVAL_SECONDS,
} from '../meters/polling_config.ts';
import { countOutput, idInput, nameInput, timeOutput } from './wire_schema.ts';

/** A source of polling.yaml after `parsePolling`: nothing that is secret is in it. */
export const sourceSpecInput = z.strictObject({
  cloud: nameInput,
  name: nameInput,
  interval: z.int().min(MIN_INTERVAL_SECONDS).max(MAX_INTERVAL_SECONDS),
  meters: z.array(nameInput).min(1).max(MAX_PATTERNS),
  resources: z.array(idInput).max(MAX_RESOURCES),
  discovery: z.array(z.strictObject({ name: nameInput, parameter: z.string().max(255) }))
    .max(MAX_DISCOVERIES),
  groups: z.int().min(1).max(MAX_GROUPS),
  concurrency: z.int().min(1).max(MAX_CONCURRENCY),
  expect: z.array(
    z.strictObject({ meter: nameInput, at_least: z.int().min(1).max(MAX_EXPECTED_RESOURCES) }),
  ).max(MAX_EXPECTATIONS),
});

export type SourceSpec = z.output<typeof sourceSpecInput>;

export const sourceNameInput = z.object({ cloud: nameInput, source: nameInput });

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
