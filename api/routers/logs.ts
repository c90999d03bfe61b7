import { z } from 'zod';
import { latestCheckpoint } from '../../db/checkpoints.ts';
import { listLogs } from '../../db/logs.ts';
import { newestRecords } from '../../db/records.ts';
import { encodeHex } from '../../ledger/bytes.ts';
import { parseEntry } from '../../ledger/entry.ts';
import type { ApiContext } from '../context.ts';
import { apiError } from '../errors.ts';
import { publicProcedure, router } from '../trpc.ts';
import { countOutput, logIdInput, timeOutput } from '../wire_schema.ts';

const headOutput = z.object({
  log_id: countOutput,
  /** The log's name, the first line of its checkpoints. */
  origin: z.string(),
  size: countOutput,
  /** 64 hexadecimal digits. */
  root: z.string(),
  signed_at: timeOutput,
  /** The newest checkpoint, a C2SP signed note. */
  checkpoint: z.string(),
});

const keyOutput = z.object({
  /** The name on signature lines. */
  name: z.string(),
  /** As C2SP signed-note writes a verifier key. */
  vkey: z.string(),
  not_before: timeOutput,
  /** Until then the key that it follows signs too; null for the first. */
  overlap_until: timeOutput.nullable(),
  previous: z.string().nullable(),
  /** The log's entry as text: with it, who trusts the previous key checks the endorsement of this one. */
  entry: z.string(),
});

/** Keys of one log that are told; a deployment rotates them a few times in its life. */
const MAX_KEYS = 100;

/** The heads of the logs and the keys that sign them. Public, as checkpoints are. */
export const logsRouter = router({
  list: publicProcedure
    .output(z.object({ logs: z.array(headOutput) }))
    .query(async ({ ctx }) => ({ logs: await heads(ctx) })),

  /** A verifier that believes them believes the server: get them another way to trust others than it. */
  keys: publicProcedure
    .output(z.object({ keys: z.array(keyOutput) }))
    .query(async ({ ctx }) => ({ keys: await announcedKeys(ctx) })),

  head: publicProcedure
    .input(z.object({ log_id: logIdInput }))
    .output(headOutput)
    .query(async ({ ctx, input }) => {
      const head = (await heads(ctx)).find((one) => one.log_id === input.log_id);
      if (head === undefined) throw apiError('not_found', 'Cannot find a log of this number');
      return head;
    }),
});

/** The keys that the logs themselves announce, each once, the newest first. */
async function announcedKeys({ deps: { db } }: ApiContext): Promise<z.output<typeof keyOutput>[]> {
  const keys = new Map<string, z.output<typeof keyOutput>>();
  for (const { logId } of await listLogs(db.pool)) {
    const texts = await newestRecords(db.pool, logId, { kind: 'key', limit: MAX_KEYS });
    for (const text of texts) {
      const entry = parseEntry(text);
      if (entry.kind !== 'key' || keys.has(entry.vkey)) continue;
      const { name, vkey, not_before, overlap_until, previous } = entry;
      keys.set(vkey, { name, vkey, not_before, overlap_until, previous, entry: text });
    }
  }
  // Of equal times the order of the log holds, since sorting is stable.
  return [...keys.values()].sort((a, b) =>
    a.not_before === b.not_before ? 0 : a.not_before < b.not_before ? 1 : -1
  );
}

/** Of the logs that have a checkpoint: one without has not begun. Few, one a shard. */
async function heads({ deps: { db } }: ApiContext): Promise<z.output<typeof headOutput>[]> {
  const logs = await listLogs(db.pool);
  const found = await Promise.all(logs.map(async ({ logId, origin }) => {
    const checkpoint = await latestCheckpoint(db.pool, logId);
    if (checkpoint === null) return [];
    const { size, root, signedAt, note } = checkpoint;
    return [{
      log_id: logId,
      origin,
      size,
      root: encodeHex(root),
      signed_at: signedAt,
      checkpoint: note,
    }];
  }));
  return found.flat();
}
