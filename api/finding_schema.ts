import { z } from 'zod';
import type { Finding } from '../db/audits.ts';
import { countOutput, timeOutput } from './wire_schema.ts';

/** A difference that an audit found, as the API and the command line show it. */
export const findingOutput = z.object({
  finding_id: countOutput,
  /** Stable code of the check that failed. */
  check: z.string(),
  /** The table and the row that it is about. */
  subject: z.string(),
  detail: z.string(),
  found_at: timeOutput,
  last_seen_at: timeOutput,
  /** Null while it is open. */
  explained_at: timeOutput.nullable(),
  explained_by: z.string().nullable(),
  explanation: z.string().nullable(),
});

export function wireFinding(finding: Finding): z.output<typeof findingOutput> {
  return {
    finding_id: finding.findingId,
    check: finding.check,
    subject: finding.subject,
    detail: finding.detail,
    found_at: finding.foundAt,
    last_seen_at: finding.lastSeenAt,
    explained_at: finding.explainedAt,
    explained_by: finding.explainedBy,
    explanation: finding.explanation,
  };
}
