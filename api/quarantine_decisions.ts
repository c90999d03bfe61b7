import { decideQuarantine, type QuarantineStatus, readQuarantine } from '../db/quarantine.ts';
import { formatMillis } from '../meters/timestamp.ts';
import type { ApiDeps } from './deps.ts';
import { apiError, publicError } from './errors.ts';

/** What came of a decision on one message. */
export interface DecisionResult {
  quarantine_id: number;
  result: 'retried' | 'discarded' | 'already_decided' | 'not_found' | 'refused';
  detail: string | null;
}

interface By {
  deps: ApiDeps;
  /** The API key of the operator. */
  keyId: string;
}

/**
 * Sends the original bytes again. The status changes first: ingest may meet the message before this
 * call goes on, and opens it again if it is still not understood.
 */
export async function retryQuarantined({ deps, keyId }: By, id: number): Promise<DecisionResult> {
  if (deps.intake === null) {
    throw apiError('intake_unavailable', 'Cannot retry: this API has no intake');
  }
  const message = await readQuarantine(deps.db.pool, id);
  if (message === null) return { quarantine_id: id, result: 'not_found', detail: null };
  const set = (from: readonly QuarantineStatus[], status: QuarantineStatus, note: string | null) =>
    decideQuarantine(deps.db.pool, id, from, {
      status,
      by: keyId,
      at: formatMillis(deps.now()),
      note,
    });
  if (await set(['open', 'discarded'], 'retried', message.note) === null) {
    return { quarantine_id: id, result: 'already_decided', detail: message.status };
  }
  const [outcome] = await deps.intake.publishAll([
    { bytes: message.bytes, via: 'retry', again: true },
  ]);
  if (outcome?.status !== 'refused') return { quarantine_id: id, result: 'retried', detail: null };
  const { message: why } = publicError(outcome.error);
  await set(['retried'], message.status, message.note);
  return { quarantine_id: id, result: 'refused', detail: why };
}

/** Decides that a message is never to be counted. Its bytes are kept, and a retry stays possible. */
export async function discardQuarantined(
  { deps, keyId }: By,
  id: number,
  note: string | null,
): Promise<DecisionResult> {
  const at = formatMillis(deps.now());
  const decision = { status: 'discarded', by: keyId, at, note } as const;
  const decided = await decideQuarantine(deps.db.pool, id, ['open'], decision);
  if (decided !== null) return { quarantine_id: id, result: 'discarded', detail: note };
  const message = await readQuarantine(deps.db.pool, id);
  return message === null
    ? { quarantine_id: id, result: 'not_found', detail: null }
    : { quarantine_id: id, result: 'already_decided', detail: message.status };
}
