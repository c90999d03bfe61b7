import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';

export const QUARANTINE_STATUSES = ['open', 'retried', 'discarded'] as const;
export type QuarantineStatus = (typeof QUARANTINE_STATUSES)[number];

/** A message that was not understood. All of this is an operator's: nobody knows whose it is. */
export interface QuarantinedMessage {
  quarantineId: number;
  logId: number;
  /** A stable code. */
  reason: string;
  /** Where in the message. */
  place: string | null;
  detail: string | null;
  eventType: string | null;
  /** The origin id, as far as one could be read. */
  origin: string | null;
  via: string | null;
  /** Of the message in the intake's stream. */
  streamSequence: number | null;
  receivedAt: string;
  /** How often the same bytes came. */
  attempts: number;
  status: QuarantineStatus;
  decidedAt: string | null;
  decidedBy: string | null;
  note: string | null;
  /** Bytes of the message. */
  size: number;
}

export interface QuarantineFilters {
  status?: QuarantineStatus | undefined;
  reason?: string | undefined;
  origin?: string | undefined;
}

/** What an operator decided. */
export interface QuarantineDecision {
  status: QuarantineStatus;
  by: string;
  /** Canonical timestamp. */
  at: string;
  note?: string | null | undefined;
}

interface QuarantineRow {
  quarantine_id: bigint;
  log_id: number;
  reason: string;
  place: string | null;
  detail: string | null;
  event_type: string | null;
  origin: string | null;
  via: string | null;
  stream_sequence: bigint | null;
  received_at: string;
  attempts: number;
  status: QuarantineStatus;
  decided_at: string | null;
  decided_by: string | null;
  note: string | null;
  size: number;
}

const COLUMNS = `quarantine_id, log_id, reason, place, detail, event_type, origin, via,
  stream_sequence, received_at, attempts, status, decided_at, decided_by, note,
  octet_length(bytes) AS size`;

/** The newest first. @throws {NephoError} `limit_invalid`, `cursor_invalid` */
export async function listQuarantine(
  db: Queryable,
  filters: QuarantineFilters,
  { limit, cursor }: PageRequest,
): Promise<Page<QuarantinedMessage>> {
  checkLimit(limit);
  const before = decodeCursor('quarantine', cursor, ['number'])?.[0];
  const where = new Conditions();
  where.equal('status', filters.status);
  where.equal('reason', filters.reason);
  where.equal('origin', filters.origin);
  if (before !== undefined) where.add(`quarantine_id < ${where.bind(before)}`);
  return await withDatabaseErrors('list the quarantine', async () => {
    const { rows } = await db.query<QuarantineRow>(
      `SELECT ${COLUMNS} FROM quarantine WHERE ${where.sql}
       ORDER BY quarantine_id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return pageOf(
      rows.map(messageOf),
      limit,
      (row) => encodeCursor('quarantine', [row.quarantineId]),
    );
  });
}

/** One message with its bytes as they came, null if there is none of this number. */
export async function readQuarantine(
  db: Queryable,
  quarantineId: number,
): Promise<(QuarantinedMessage & { bytes: Uint8Array }) | null> {
  return await withDatabaseErrors(`read quarantined message ${quarantineId}`, async () => {
    const { rows } = await db.query<QuarantineRow & { bytes: Uint8Array }>(
      `SELECT ${COLUMNS}, bytes FROM quarantine WHERE quarantine_id = $1`,
      [quarantineId],
    );
    return rows[0] === undefined ? null : { ...messageOf(rows[0]), bytes: rows[0].bytes };
  });
}

/**
 * Records a decision on a message that has one of the statuses `from`, so that of two operators who
 * decide at once one is told that there was nothing left to decide.
 *
 * @returns the message as it is now, null if there is none or its status was another
 */
export async function decideQuarantine(
  db: Queryable,
  quarantineId: number,
  from: readonly QuarantineStatus[],
  decision: QuarantineDecision,
): Promise<QuarantinedMessage | null> {
  return await withDatabaseErrors(`decide on quarantined message ${quarantineId}`, async () => {
    const { rows } = await db.query<QuarantineRow>(
      `UPDATE quarantine SET status = $3, decided_by = $4, decided_at = $5, note = $6
       WHERE quarantine_id = $1 AND status = ANY($2::text[]) RETURNING ${COLUMNS}`,
      [
        quarantineId,
        [...from],
        decision.status,
        decision.by,
        decision.at,
        decision.note ?? null,
      ],
    );
    return rows[0] === undefined ? null : messageOf(rows[0]);
  });
}

/** How many messages there are of each status and reason. */
export async function countQuarantine(
  db: Queryable,
): Promise<{ status: QuarantineStatus; reason: string; messages: number }[]> {
  return await withDatabaseErrors('count the quarantine', async () => {
    const { rows } = await db.query<
      { status: QuarantineStatus; reason: string; messages: bigint }
    >(
      `SELECT status, reason, count(*) AS messages FROM quarantine
       GROUP BY status, reason ORDER BY status, reason`,
    );
    return rows.map((row) => ({ ...row, messages: Number(row.messages) }));
  });
}

function messageOf(row: QuarantineRow): QuarantinedMessage {
  return {
    quarantineId: Number(row.quarantine_id),
    logId: row.log_id,
    reason: row.reason,
    place: row.place,
    detail: row.detail,
    eventType: row.event_type,
    origin: row.origin,
    via: row.via,
    streamSequence: row.stream_sequence === null ? null : Number(row.stream_sequence),
    receivedAt: row.received_at,
    attempts: row.attempts,
    status: row.status,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    note: row.note,
    size: row.size,
  };
}
