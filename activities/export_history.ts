import type { Pool } from 'pg';
import { insertHistory, logOfRun, readHistory, type StoredHistory } from '../db/histories.ts';
import { appendAsGuest } from '../db/log_guest.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { encodeEntry } from '../ledger/entry.ts';
import { sha256 } from '../ledger/sha256.ts';
import type { Signer } from '../ledger/signer.ts';
import { NephoError } from '../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../meters/json.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { ingestFailure } from './failures.ts';
import { guestSigners } from './guest_signers.ts';
import { MAX_HISTORY_BYTES, packHistory } from './packed_history.ts';

export interface ExportHistoryInput {
  workflow_id: string;
  run_id: string;
  /** The log that the entry goes to, for a run that wrote to none itself. */
  log_id?: number;
}

export interface ExportHistoryReceipt {
  run_id: string;
  /** SHA-256 of the history in canonical JSON, 64 hexadecimal digits. */
  digest: string;
  events: number;
}

export interface HistoryActivities {
  /**
   * Keeps the history of a closed run beyond Temporal's retention: compressed in the database, its digest in
   * the log that the run wrote to. Idempotent by run id.
   */
  exportHistory(input: ExportHistoryInput): Promise<ExportHistoryReceipt>;
}

/** What exporting is wired with. */
export interface HistoryDeps {
  pool: Pool;
  signers: readonly Signer[];
  /** A run's history as Temporal has it. @throws {NephoError} `history_missing` */
  fetchHistory(workflowId: string, runId: string): Promise<string>;
  nowMs: () => number;
}

/** The events that close a run, as the protocol names them. */
const CLOSING = new Set(
  ['COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELED', 'TERMINATED', 'CONTINUED_AS_NEW'].map(
    (end) => `EVENT_TYPE_WORKFLOW_EXECUTION_${end}`,
  ),
);

export function createHistoryActivities(deps: HistoryDeps): HistoryActivities {
  return {
    exportHistory: async (input) => {
      try {
        return await exportHistory(deps, input);
      } catch (error) {
        throw ingestFailure(error, FINAL);
      }
    },
  };
}

/** What a later attempt would meet again. A keeper goes on without the history: the audit misses it. */
const FINAL = new Set(['history_missing', 'history_invalid', 'history_without_log']);

/** Apart from Temporal. @throws {NephoError} `history_open`, `history_missing`, those of the log */
export async function exportHistory(
  deps: HistoryDeps,
  input: ExportHistoryInput,
): Promise<ExportHistoryReceipt> {
  const before = await readHistory(deps.pool, input.run_id);
  if (before !== null) return receiptOf(before);
  const logId = await logOfRun(deps.pool, input.run_id) ?? input.log_id;
  if (logId === undefined) {
    throw new NephoError(
      'history_without_log',
      `Cannot export the history of run '${input.run_id}': it wrote to no log, name the log that its digest is to be in`,
    );
  }
  const history = readClosedHistory(await deps.fetchHistory(input.workflow_id, input.run_id));
  const now = () => formatMillis(deps.nowMs());
  const signers = await guestSigners(deps.pool, logId, { signers: deps.signers, now: now() });
  return await appendAsGuest(deps.pool, logId, { signers, now }, async (tx, log) => {
    // Under the lock: a former attempt may have come through meanwhile.
    const there = await readHistory(tx, input.run_id);
    if (there !== null) return { records: [], result: receiptOf(there) };
    const stored = {
      runId: input.run_id,
      workflowId: input.workflow_id,
      workflowType: history.workflowType,
      events: history.events,
      digest: sha256(history.text),
      position: log.position,
      exportedAt: now(),
    };
    await insertHistory(tx, { ...stored, compressed: packHistory(history.text) });
    return { records: [{ kind: 'history', entry: entryOf(stored) }], result: receiptOf(stored) };
  });
}

/** A history as its digest is taken. */
export interface ClosedHistory {
  /** Canonical JSON. */
  text: string;
  workflowType: string;
  events: number;
}

/**
 * Brings a history into the one form whose digest is logged: canonical JSON, payloads as they are.
 *
 * @throws {NephoError} `history_open` if the run goes on, `history_invalid`
 */
export function readClosedHistory(json: string): ClosedHistory {
  if (json.length > MAX_HISTORY_BYTES) throw invalid(`it has ${json.length} bytes`);
  const history = JSON.parse(json) as JsonValue;
  const events = isJsonObject(history) ? history['events'] : undefined;
  if (!Array.isArray(events)) throw invalid('it has no events');
  const first = memberOf(events[0], 'workflowExecutionStartedEventAttributes');
  const workflowType = memberOf(first, 'workflowType')['name'];
  if (typeof workflowType !== 'string') throw invalid('it does not begin with its start');
  const last = events.at(-1);
  const ending = isJsonObject(last) ? last['eventType'] : undefined;
  if (typeof ending !== 'string' || !CLOSING.has(ending)) {
    throw new NephoError(
      'history_open',
      `Cannot export a history that ends with ${
        JSON.stringify(ending)
      }: its run goes on, export it once it is closed`,
      { retryable: true },
    );
  }
  return { text: canonicalJson(history), workflowType, events: events.length };
}

function memberOf(value: JsonValue | undefined, key: string): JsonObject {
  const member = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(member) ? member : {};
}

function entryOf(history: StoredHistory): string {
  return encodeEntry({
    kind: 'history',
    v: 1,
    workflow_id: history.workflowId,
    run_id: history.runId,
    workflow_type: history.workflowType,
    events: history.events,
    digest: encodeHex(history.digest),
    recorded_at: history.exportedAt,
  });
}

function receiptOf({ runId, digest, events }: StoredHistory): ExportHistoryReceipt {
  return { run_id: runId, digest: encodeHex(digest), events };
}

function invalid(reason: string): NephoError {
  return new NephoError('history_invalid', `Cannot export a history: ${reason}`);
}
