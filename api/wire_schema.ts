import { z } from 'zod';
import { errorMessage } from '../meters/errors.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH } from '../meters/limits.ts';
import { METER_TYPES } from '../meters/sample.ts';
import { parseTimestamp } from '../meters/timestamp.ts';
import { DEFAULT_PAGE_ROWS, MAX_CURSOR_LENGTH, MAX_PAGE_ROWS } from './pagination.ts';

/**
 * Pieces that several procedures take or answer. All is plain JSON: times are canonical texts of UTC with
 * microseconds, quantities exact decimals as text, counts whole numbers below 2^53.
 */

/** Text that can be stored, hence the only text that can be found. */
function storable(limit: number) {
  return z.string().min(1).max(limit).refine(
    (text) => !text.includes('\0') && text.isWellFormed(),
    'It holds a NUL or half of a surrogate pair',
  );
}

export const idInput = storable(MAX_ID_LENGTH);
export const nameInput = storable(MAX_NAME_LENGTH);

/** A time as people write it; canonical afterwards. */
export const timeInput = z.string().max(64).transform((text, context) => {
  try {
    return parseTimestamp(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: errorMessage(error) });
    return z.NEVER;
  }
});

export const sampleIdInput = z.string().regex(/^[0-9a-f]{32}$/, 'It is not 32 hexadecimal digits');
export const digestInput = z.string().regex(/^[0-9a-f]{64}$/, 'It is not 64 hexadecimal digits');
export const logIdInput = z.int().min(0).max(8_191);
export const leafInput = z.int().min(0).max(2 ** 40 - 1);

/** How much of a list to answer with, and where to go on. */
export const pageInput = {
  limit: z.int().min(1).max(MAX_PAGE_ROWS).default(DEFAULT_PAGE_ROWS),
  cursor: z.string().min(1).max(MAX_CURSOR_LENGTH).optional(),
};

export const timeOutput = z.string();
export const countOutput = z.int().min(0);
export const nextCursorOutput = z.string().nullable();
export const meterTypeOutput = z.enum(METER_TYPES);

/**
 * The metadata of a resource as its cloud described it. Not a `z.record`, which drops a key `__proto__`:
 * the caller must be able to recompute the digest that stands in the log.
 */
export const metadataOutput = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

export const sampleOutput = z.object({
  id: z.string(),
  meter: z.string(),
  type: meterTypeOutput,
  unit: z.string(),
  volume: z.string(),
  resource_id: z.string(),
  project_id: z.string().nullable(),
  user_id: z.string().nullable(),
  source: z.string(),
  timestamp: timeOutput,
  recorded_at: timeOutput,
  metadata: metadataOutput,
});
