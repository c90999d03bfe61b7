import { z } from 'zod';
import { type AuditRun, explainFinding, listAudits, listFindings } from '../../db/audits.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { AUDIT_BY_HAND_ID, TASK_QUEUES } from '../../temporal.config.ts';
import { clientOf } from '../actor_control.ts';
import { apiError } from '../errors.ts';
import { bindCursor, openCursor } from '../pagination.ts';
import { operatorProcedure, router } from '../trpc.ts';
import { countOutput, nextCursorOutput, pageInput, timeOutput } from '../wire_schema.ts';
import { findingOutput, wireFinding } from '../finding_schema.ts';

const auditRunOutput = z.object({
  audit_run_id: countOutput,
  /** By which the same choice can be made again; null if nothing was chosen by chance. */
  seed: z.string().nullable(),
  started_at: timeOutput,
  ended_at: timeOutput.nullable(),
  /** How much was looked at, by what it is. */
  checked: z.custom<Record<string, number>>((value) => typeof value === 'object' && value !== null),
  /** Differences that it met, new or known. */
  findings: countOutput,
});

/** What audits looked at and found. An operator's alone. */
export const auditsRouter = router({
  /** Findings, the newest first. */
  list: operatorProcedure
    .input(z.object({ open: z.boolean().optional(), ...pageInput }))
    .output(z.object({ findings: z.array(findingOutput), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps }, input }) => {
      const { limit, cursor, open } = input;
      const query = { procedure: 'audits.list', filters: { open } };
      const page = await listFindings(deps.db.pool, { isOpen: open }, {
        limit,
        cursor: openCursor(query, cursor),
      });
      return {
        findings: page.rows.map(wireFinding),
        next_cursor: bindCursor(query, page.nextCursor),
      };
    }),

  /** The newest first. */
  runs: operatorProcedure
    .input(z.object(pageInput))
    .output(z.object({ runs: z.array(auditRunOutput), next_cursor: nextCursorOutput }))
    .query(async ({ ctx: { deps }, input: { limit, cursor } }) => {
      const query = { procedure: 'audits.runs', filters: {} };
      const page = await listAudits(deps.db.pool, { limit, cursor: openCursor(query, cursor) });
      return { runs: page.rows.map(wireRun), next_cursor: bindCursor(query, page.nextCursor) };
    }),

  /** Closes a finding. One that was explained before stays as it was. */
  explain: operatorProcedure
    .input(z.object({ finding_id: z.int().min(1), note: z.string().min(1).max(2_000) }))
    .output(findingOutput)
    .mutation(async ({ ctx: { deps, principal }, input }) => {
      const finding = await explainFinding(deps.db.pool, input.finding_id, {
        at: formatMillis(deps.now()),
        by: principal.keyId,
        note: input.note,
      });
      if (finding === null) throw apiError('not_found', 'Cannot find a finding of this number');
      return wireFinding(finding);
    }),

  /** Begins what is begun each night; one that was begun by hand and goes on is told instead. */
  run: operatorProcedure
    .output(z.object({ workflow_id: z.string(), run_id: z.string() }))
    .mutation(async ({ ctx: { deps } }) => {
      const client = clientOf(deps);
      try {
        const started = await client.start('auditOnce', {
          workflowId: AUDIT_BY_HAND_ID,
          workflowIdConflictPolicy: 'USE_EXISTING',
          taskQueue: TASK_QUEUES.control,
          args: [],
        });
        return { workflow_id: started.workflowId, run_id: started.firstExecutionRunId };
      } catch (error) {
        throw apiError(
          'actors_unavailable',
          'Cannot begin an audit: Temporal does not answer',
          error,
        );
      }
    }),
});

function wireRun(run: AuditRun): z.output<typeof auditRunOutput> {
  return {
    audit_run_id: run.auditRunId,
    seed: run.seed,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    checked: run.checked,
    findings: run.findings,
  };
}
