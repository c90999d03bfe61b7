import { z } from 'zod';
import type { LogSizes } from '../db/as_of.ts';
import type { SampleFilters } from '../db/sample_filters.ts';
import type { JsonValue } from '../meters/json.ts';
import { asOfInput } from './as_of_schema.ts';
import { apiError } from './errors.ts';
import { idInput, nameInput, timeInput } from './wire_schema.ts';

/** Paths and values of metadata in one query. */
const MAX_METADATA_FILTERS = 10;
const MAX_METADATA_VALUES = 50;

const scalarInput = z.union([z.string().max(1_024), z.number(), z.boolean(), z.null()]);

/** Which samples are meant; all conditions must hold. */
export const sampleFilterInput = {
  meter: nameInput.optional(),
  resource_id: idInput.optional(),
  /** Null: samples that belong to no project. */
  project_id: idInput.nullable().optional(),
  user_id: idInput.nullable().optional(),
  source: nameInput.optional(),
  /** Included. */
  from: timeInput.optional(),
  /** Excluded. */
  to: timeInput.optional(),
  /** Values of the metadata by path, as `flavor.name`; a list means any of its values. */
  metadata: z.record(
    nameInput,
    z.union([scalarInput, z.array(scalarInput).min(1).max(MAX_METADATA_VALUES)]),
  ).refine(
    (filters) => Object.keys(filters).length <= MAX_METADATA_FILTERS,
    `Give at most ${MAX_METADATA_FILTERS} paths`,
  ).optional(),
  as_of: asOfInput.optional(),
};

const { metadata: _, ...withoutMetadata } = sampleFilterInput;
/** Those of them that do not look into single samples. */
export const seriesFilterInput = withoutMetadata;

const filterSchema = z.object(sampleFilterInput);
export type SampleFilterInput = z.output<typeof filterSchema>;

/** @throws {NephoError} `range_invalid` */
export function checkRange({ from, to }: Pick<SampleFilterInput, 'from' | 'to'>): void {
  if (from === undefined || to === undefined || from < to) return;
  throw apiError('range_invalid', `Cannot read from ${from} to ${to}: nothing lies between`);
}

/**
 * @param known what `as_of` resolved to
 * @throws {NephoError} `range_invalid`
 */
export function sampleFilters(input: SampleFilterInput, known: LogSizes): SampleFilters {
  checkRange(input);
  return {
    meter: input.meter,
    resourceId: input.resource_id,
    projectId: input.project_id,
    userId: input.user_id,
    source: input.source,
    from: input.from,
    to: input.to,
    metadata: input.metadata,
    known,
  };
}

/** The filters as what a cursor is bound to. */
export function filtersOf(input: SampleFilterInput): Record<string, JsonValue | undefined> {
  const { meter, resource_id, project_id, user_id, source, from, to, metadata, as_of } = input;
  return { meter, resource_id, project_id, user_id, source, from, to, metadata, as_of };
}
