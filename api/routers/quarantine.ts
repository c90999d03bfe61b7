import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { listQuarantine, QUARANTINE_STATUSES, readQuarantine } from '../../db/quarantine.ts';
import { apiError } from '../errors.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import {
  type DecisionResult,
  discardQuarantined,
  retryQuarantined,
} from '../quarantine_decisions.ts';
import { quarantinedOutput, wireQuarantined } from '../quarantine_schema.ts';
import { operatorProcedure, router } from '../trpc.ts';
import { countOutput, idInput, nameInput, nextCursorOutput, pageInput } from '../wire_schema.ts';

/** Messages decided on in one call. */
const MAX_DECISIONS = 100;

const numberInput = z.int().min(1);
const numbersInput = z.object({
  quarantine_ids: z.array(numberInput).min(1).max(MAX_DECISIONS),
});
const decisionsOutput = z.object({
  messages: z.array(z.object({
    quarantine_id: countOutput,
    result: z.enum(['retried', 'discarded', 'already_decided', 'not_found', 'refused']),
    detail: z.string().nullable(),
  })),
});

/** What was not understood. Nobody knows whose it is, hence an operator's alone. */
export const quarantineRouter = router({
  list: operatorProcedure
    .input(z.object({
      status: z.enum(QUARANTINE_STATUSES).optional(),
      reason: nameInput.optional(),
      message_id: idInput.optional(),
      ...pageInput,
    }))
    .output(z.object({ messages: z.array(quarantinedOutput), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps }, input }) => {
      const { limit, cursor, ...filters } = input;
      const query = { procedure: 'quarantine.list', filters };
      const page = await listQuarantine(deps.db.pool, {
        status: filters.status,
        reason: filters.reason,
        origin: filters.message_id,
      }, { limit, cursor: openCursor(query, cursor) });
      return {
        messages: page.rows.map(wireQuarantined),
        next_cursor: bindCursor(query, page.nextCursor),
      };
    }),

  show: operatorProcedure
    .input(z.object({ quarantine_id: numberInput }))
    .output(quarantinedOutput.extend({ base64: z.string() }))
    .query(async ({ ctx: { deps }, input }) => {
      const message = await readQuarantine(deps.db.pool, input.quarantine_id);
      if (message === null) {
        throw apiError('not_found', 'Cannot find a message of this number in the quarantine');
      }
      const base64 = Buffer.from(message.bytes).toString('base64');
      return { ...wireQuarantined(message), base64 };
    }),

  retry: operatorProcedure
    .input(numbersInput)
    .output(decisionsOutput)
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      const by = { deps, keyId: principal.keyId };
      const messages: DecisionResult[] = [];
      for (const id of input.quarantine_ids) messages.push(await retryQuarantined(by, id));
      return { messages };
    }),

  discard: operatorProcedure
    .input(numbersInput.extend({ note: z.string().max(500).optional() }))
    .output(decisionsOutput)
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      const by = { deps, keyId: principal.keyId };
      const messages: DecisionResult[] = [];
      for (const id of input.quarantine_ids) {
        messages.push(await discardQuarantined(by, id, input.note ?? null));
      }
      return { messages };
    }),
});
