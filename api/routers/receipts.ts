import { z } from 'zod';
import { getSample } from '../../db/samples.ts';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { parseReceipt } from '../../ledger/receipt.ts';
import { parseCheckpoint } from '../../ledger/checkpoint.ts';
import { apiError } from '../errors.ts';
import { type LeafPlace, receiptOf } from '../receipts.ts';
import { scopeOf } from '../tenancy.ts';
import { router, tenantProcedure } from '../trpc.ts';
import { countOutput, leafInput, logIdInput, sampleIdInput } from '../wire_schema.ts';

const receiptOutput = z.object({
  /** The log's name. */
  origin: z.string(),
  log_id: countOutput,
  leaf_index: countOutput,
  /** Leaves of the tree that the receipt's checkpoint is of. */
  size: countOutput,
  /** C2SP tlog-proof: save it as it is, `nepho verify` and other tools read it. */
  receipt: z.string(),
});

/** The evidence that an entry is in the log, to be verified without this API. */
export const receiptsRouter = router({
  sample: tenantProcedure
    .input(z.object({
      id: sampleIdInput,
      /** Whether the receipt holds the metadata, which the log names by its digest only. */
      include_metadata: z.boolean().default(true),
    }))
    .output(receiptOutput)
    .query(async ({ ctx: { deps, openLog, principal }, input }) => {
      const found = await getSample(deps.db.pool, scopeOf(principal), input.id);
      if (found === null) throw apiError('not_found', 'Cannot find a sample of this id');
      const metadata = input.include_metadata ? canonicalJson(found.sample.metadata) : null;
      const place = { logId: found.logId, leaf: found.leafIndex };
      const text = await receiptOf({ db: deps.db.pool, archives: deps.archives, openLog }, place, {
        principal,
        metadata,
      });
      return answer(place, text);
    }),

  /** Of an entry of any kind. Metadata is not part of it. */
  entry: tenantProcedure
    .input(z.object({ log_id: logIdInput, leaf_index: leafInput }))
    .output(receiptOutput)
    .query(async ({ ctx: { deps, openLog, principal }, input }) => {
      const place = { logId: input.log_id, leaf: input.leaf_index };
      const options = { principal, metadata: null };
      return answer(
        place,
        await receiptOf({ db: deps.db.pool, archives: deps.archives, openLog }, place, options),
      );
    }),
});

function answer({ logId, leaf }: LeafPlace, receipt: string): z.output<typeof receiptOutput> {
  const { origin, size } = parseCheckpoint(parseReceipt(receipt).checkpoint);
  return { origin, log_id: logId, leaf_index: leaf, size, receipt };
}
