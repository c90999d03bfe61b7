import { z } from 'zod';
import type { ApiDeps } from './deps.ts';

/** Milliseconds that a part has to answer. */
const ANSWER_MS = 3_000;

export const healthOutput = z.object({
  /** `degraded`: what is stored can be read, but not all is well. `down`: nothing can be read. */
  status: z.enum(['ok', 'degraded', 'down']),
  /** `null` for a part that this API was not given. No reasons: anyone may ask. */
  parts: z.object({
    database: z.boolean(),
    intake: z.boolean().nullable(),
    temporal: z.boolean().nullable(),
  }),
});

export type Health = z.output<typeof healthOutput>;

/** Asks each part a small question. Never throws. */
export async function checkHealth(deps: ApiDeps): Promise<Health> {
  const { intake, workflows } = deps;
  const [database, intakeAnswers, temporal] = await Promise.all([
    answers(() => deps.db.pool.query('SELECT 1')),
    intake === null ? null : answers(() => intake.backlog()),
    workflows === null ? null : answers(() => workflows.workflowService.getSystemInfo({})),
  ]);
  const parts = { database, intake: intakeAnswers, temporal };
  if (!database) return { status: 'down', parts };
  const isWhole = intakeAnswers !== false && temporal !== false;
  return { status: isWhole ? 'ok' : 'degraded', parts };
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ANSWER_MS);
  });
  const asked = ask().then(() => true, () => false);
  const answer = await Promise.race([asked, late]);
  clearTimeout(timer);
  return answer;
}
