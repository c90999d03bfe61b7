import { z } from 'zod';
import type { AsOf, LogSizes } from '../db/as_of.ts';
import { MAX_ID_LENGTH } from '../meters/limits.ts';
import { countOutput, timeInput, timeOutput } from './wire_schema.ts';

/** Logs that one list of checkpoints may name: as many as there can be. */
const MAX_CHECKPOINTS = 8_192;

/** What was known at an instant, or at the checkpoints of an answer; the present unless given. */
export const asOfInput = z.union([
  z.strictObject({ instant: timeInput }),
  z.strictObject({
    checkpoints: z.array(z.object({
      origin: z.string().min(1).max(MAX_ID_LENGTH),
      size: z.int().min(1).max(2 ** 40),
    })).min(1).max(MAX_CHECKPOINTS),
  }),
]) satisfies z.ZodType<AsOf>;

/** What an answer was made from: asked for again, it gives the same answer. */
export const checkpointsOutput = z.array(z.object({
  log_id: countOutput,
  /** The log's origin line. */
  origin: z.string(),
  size: countOutput,
  /** Root of the tree of `size` leaves, 64 hexadecimal digits. */
  root: z.string(),
  signed_at: timeOutput,
}));

export function wireCheckpoints(sizes: LogSizes): z.output<typeof checkpointsOutput> {
  return sizes.map(({ logId, origin, size, root, signedAt }) => ({
    log_id: logId,
    origin,
    size,
    root,
    signed_at: signedAt,
  }));
}
