import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createApiKey, listApiKeys, revokeApiKey } from '../../db/api_keys.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { digestOfSecret, newSecret } from '../auth.ts';
import { apiError } from '../errors.ts';
import { operatorProcedure, router, tenantProcedure } from '../trpc.ts';
import { idInput, nameInput, timeInput, timeOutput } from '../wire_schema.ts';

const keyOutput = z.object({
  api_key_id: z.string(),
  name: z.string(),
  role: z.enum(['operator', 'project']),
  project_id: z.string().nullable(),
  created_at: timeOutput,
  expires_at: timeOutput.nullable(),
  revoked_at: timeOutput.nullable(),
});

const createInput = z.object({
  name: nameInput,
  expires_at: timeInput.optional(),
}).and(z.discriminatedUnion('role', [
  z.object({ role: z.literal('operator') }),
  z.object({ role: z.literal('project'), project_id: idInput }),
]));

/** API keys: who may call. The secret is in the answer to `create` and nowhere else, ever. */
export const keysRouter = router({
  /** Whom the caller's own key stands for. */
  whoami: tenantProcedure
    .output(z.object({
      api_key_id: z.string(),
      role: z.enum(['operator', 'project']),
      project_id: z.string().nullable(),
    }))
    .query(({ ctx: { principal } }) => ({
      api_key_id: principal.keyId,
      role: principal.role,
      project_id: principal.role === 'project' ? principal.projectId : null,
    })),

  create: operatorProcedure
    .input(createInput)
    .output(z.object({ key: keyOutput, secret: z.string() }))
    .mutation(async ({ ctx, input }) => {
      const secret = newSecret();
      const created_at = formatMillis(ctx.deps.now());
      if (input.expires_at !== undefined && input.expires_at <= created_at) {
        throw apiError('range_invalid', 'Cannot make a key that has expired already');
      }
      const key = await createApiKey(ctx.deps.db.pool, {
        apiKeyId: `key-${randomUUID()}`,
        name: input.name,
        role: input.role,
        projectId: input.role === 'project' ? input.project_id : null,
        digest: digestOfSecret(secret),
        createdAt: created_at,
        expiresAt: input.expires_at ?? null,
      });
      return { key: keyOutput.parse(key), secret };
    }),

  list: operatorProcedure
    .output(z.object({ keys: z.array(keyOutput) }))
    .query(async ({ ctx }) => {
      const keys = await listApiKeys(ctx.deps.db.pool);
      return { keys: z.array(keyOutput).parse(keys) };
    }),

  /** Idempotent: a key that was revoked before keeps its time. */
  revoke: operatorProcedure
    .input(z.object({ api_key_id: nameInput }))
    .output(keyOutput)
    .mutation(async ({ ctx, input }) => {
      const key = await revokeApiKey(
        ctx.deps.db.pool,
        input.api_key_id,
        formatMillis(ctx.deps.now()),
      );
      if (key === null) {
        throw apiError('not_found', 'Cannot revoke this key: there is none of this id');
      }
      return keyOutput.parse(key);
    }),
});
