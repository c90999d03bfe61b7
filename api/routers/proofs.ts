import { z } from 'zod';
import { resolveAsOf } from '../../db/as_of.ts';
import { getStatement } from '../../db/statements.ts';
import { windowRevisions } from '../../db/window_list.ts';
import { latestCheckpoint } from '../../db/checkpoints.ts';
import { encodeBase64, encodeHex } from '../../ledger/bytes.ts';
import { inclusionProof } from '../../ledger/merkle.ts';
import { proveConsistency } from '../../ledger/prove.ts';
import { readNodesOf } from '../../ledger/tiled_log.ts';
import type { ApiContext } from '../context.ts';
import { apiError } from '../errors.ts';
import { statementBundleOf } from '../statement_bundle.ts';
import { periodInput, statementNameInput } from '../statement_schema.ts';
import { scopeOf } from '../tenancy.ts';
import { publicProcedure, router, tenantProcedure } from '../trpc.ts';
import { windowBundleOf } from '../window_proofs.ts';
import { revisionInput, windowNameInput } from '../window_schema.ts';
import { countOutput, idInput, leafInput, logIdInput } from '../wire_schema.ts';
import { noWindow } from './windows.ts';

const sizeInput = z.int().min(1).max(2 ** 40);
const hashesOutput = z.array(z.string());

/**
 * Proofs by RFC 6962. Those of leaves and sizes are over hashes that are public anyway: anyone can compute
 * them out of the tiles, and they say nothing of what an entry holds. Hashes are base64.
 */
export const proofsRouter = router({
  /** That the leaf is in the tree of `size` leaves, the log's newest unless given. */
  inclusion: publicProcedure
    .input(z.object({ log_id: logIdInput, leaf_index: leafInput, size: sizeInput.optional() }))
    .output(z.object({
      log_id: countOutput,
      leaf_index: countOutput,
      size: countOutput,
      proof: hashesOutput,
      /** The newest checkpoint: its size may be greater than `size`. */
      checkpoint: z.string(),
    }))
    .query(async ({ ctx, input }) => {
      const head = await headOf(ctx, input.log_id);
      const size = input.size ?? head.size;
      requireSize(size, head.size);
      if (input.leaf_index >= size) {
        throw apiError(
          'size_beyond_log',
          `Cannot prove leaf ${input.leaf_index}: the tree has ${size} leaves`,
        );
      }
      const log = ctx.openLog(input.log_id);
      const readNode = readNodesOf(size, (...tile) => log.readTile(...tile));
      const proof = await inclusionProof(input.leaf_index, size, readNode);
      const { log_id, leaf_index } = input;
      return { log_id, leaf_index, size, proof: proof.map(encodeBase64), checkpoint: head.note };
    }),

  /** That the tree of `old_size` leaves is the beginning of the one of `new_size`, newest unless given. */
  consistency: publicProcedure
    .input(z.object({
      log_id: logIdInput,
      old_size: sizeInput,
      new_size: sizeInput.optional(),
    }))
    .output(z.object({
      log_id: countOutput,
      old_size: countOutput,
      new_size: countOutput,
      proof: hashesOutput,
      /** Root of the newest tree, 64 hexadecimal digits, with the checkpoint that states it. */
      root: z.string(),
      checkpoint: z.string(),
    }))
    .query(async ({ ctx, input }) => {
      const head = await headOf(ctx, input.log_id);
      const newSize = input.new_size ?? head.size;
      requireSize(newSize, head.size);
      requireSize(input.old_size, newSize);
      const log = ctx.openLog(input.log_id);
      const proof = await proveConsistency(
        input.old_size,
        newSize,
        (...tile) => log.readTile(...tile),
      );
      return {
        log_id: input.log_id,
        old_size: input.old_size,
        new_size: newSize,
        proof: proof.map(encodeBase64),
        root: encodeHex(head.root),
        checkpoint: head.note,
      };
    }),

  /**
   * The evidence for a window, of the revision in force unless given: `verifyWindow` of nepho/client and
   * `nepho verify` check it with the log's public key alone.
   */
  window: tenantProcedure
    .input(z.object({ ...windowNameInput, revision: revisionInput.optional() }))
    .output(z.object({ revision: countOutput, bundle: z.string() }))
    .query(async ({ ctx: { deps, openLog, principal }, input }) => {
      const db = deps.db.pool;
      const known = await resolveAsOf(db);
      const rows = await windowRevisions(db, scopeOf(principal), input, known);
      const window = input.revision === undefined
        ? rows.at(-1)
        : rows.find(({ revision }) => revision === input.revision);
      if (window === undefined) throw noWindow();
      const parts = { db, archives: deps.archives, openLog };
      const bundle = await windowBundleOf(parts, principal, window);
      return { revision: window.revision, bundle };
    }),

  /** The evidence for a statement: `verifyStatement` of nepho/client checks it likewise. */
  statement: tenantProcedure
    .input(
      z.object({ project_id: idInput, period: periodInput, number: statementNameInput.number }),
    )
    .output(z.object({ bundle: z.string() }))
    .query(async ({ ctx: { deps, openLog, principal }, input: { project_id, ...name } }) => {
      const db = deps.db.pool;
      const scope = scopeOf(principal);
      const row = await getStatement(db, scope, { projectId: project_id, ...name });
      if (row === null) throw apiError('not_found', 'Cannot find a statement of this name');
      const parts = { db, archives: deps.archives, openLog };
      return { bundle: await statementBundleOf(parts, row, principal) };
    }),
});

async function headOf(ctx: ApiContext, logId: number) {
  const head = await latestCheckpoint(ctx.deps.db.pool, logId);
  if (head === null) throw apiError('not_found', 'Cannot find a log of this number');
  return head;
}

function requireSize(size: number, greatest: number): void {
  if (size <= greatest) return;
  throw apiError('size_beyond_log', `Cannot prove size ${size}: the tree has ${greatest} leaves`);
}
