import { z } from 'zod';
import { QUARANTINE_STATUSES, type QuarantinedMessage } from '../db/quarantine.ts';
import { countOutput, timeOutput } from './wire_schema.ts';

/** A message that was not understood, without its bytes. */
export const quarantinedOutput = z.object({
  quarantine_id: countOutput,
  shard: countOutput,
  /** A stable code, see docs/api.md. */
  reason: z.string(),
  /** Where in the message. */
  place: z.string().nullable(),
  detail: z.string().nullable(),
  event_type: z.string().nullable(),
  /** The message id, as far as one could be read. */
  origin: z.string().nullable(),
  /** What brought it. */
  via: z.string().nullable(),
  received_at: timeOutput,
  /** How often the same bytes came. */
  attempts: countOutput,
  /** Bytes of the message. */
  size: countOutput,
  status: z.enum(QUARANTINE_STATUSES),
  decided_at: timeOutput.nullable(),
  decided_by: z.string().nullable(),
  note: z.string().nullable(),
});

export function wireQuarantined(message: QuarantinedMessage): z.output<typeof quarantinedOutput> {
  return {
    quarantine_id: message.quarantineId,
    shard: message.logId,
    reason: message.reason,
    place: message.place,
    detail: message.detail,
    event_type: message.eventType,
    origin: message.origin,
    via: message.via,
    received_at: message.receivedAt,
    attempts: message.attempts,
    size: message.size,
    status: message.status,
    decided_at: message.decidedAt,
    decided_by: message.decidedBy,
    note: message.note,
  };
}
