/** What endpoints are told of statements, and each attempt at it. */
import type { PoolClient } from 'pg';
import type { StatementEvent } from '../meters/billing_config.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { StatementName } from './statements.ts';

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed', 'gone'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface Delivery extends StatementName {
  /** The `webhook-id`. */
  deliveryId: string;
  /** By its name in billing.yaml. */
  endpoint: string;
  event: StatementEvent;
  status: DeliveryStatus;
  createdAt: string;
  endedAt: string | null;
}

const COLUMNS =
  `delivery_id AS "deliveryId", endpoint, event, project_id AS "projectId", period, number,
  status, created_at AS "createdAt", ended_at AS "endedAt"`;

/** Within the transaction that writes the statement. */
export async function insertDeliveries(
  tx: PoolClient,
  statement: StatementName & { event: StatementEvent; createdAt: string },
  endpoints: readonly { endpoint: string; deliveryId: string }[],
): Promise<void> {
  await tx.query(
    `INSERT INTO webhook_deliveries
       (delivery_id, endpoint, event, project_id, period, number, status, created_at)
     SELECT id, endpoint, $3, $4, $5, $6, 'pending', $7
     FROM unnest($1::text[], $2::text[]) AS t(id, endpoint)`,
    [
      endpoints.map(({ deliveryId }) => deliveryId),
      endpoints.map(({ endpoint }) => endpoint),
      statement.event,
      statement.projectId,
      statement.period,
      statement.number,
      statement.createdAt,
    ],
  );
}

export async function readDelivery(db: Queryable, deliveryId: string): Promise<Delivery | null> {
  return await withDatabaseErrors('read a delivery', async () => {
    const { rows } = await db.query<Delivery>(
      `SELECT ${COLUMNS} FROM webhook_deliveries WHERE delivery_id = $1`,
      [deliveryId],
    );
    return rows[0] ?? null;
  });
}

/** Those of a statement, by endpoint. */
export async function deliveriesOf(
  db: Queryable,
  { projectId, period, number }: StatementName,
): Promise<Delivery[]> {
  return await withDatabaseErrors('read the deliveries of a statement', async () => {
    const { rows } = await db.query<Delivery>(
      `SELECT ${COLUMNS} FROM webhook_deliveries
       WHERE project_id = $1 AND period = $2 AND number = $3 ORDER BY endpoint`,
      [projectId, period, number],
    );
    return rows;
  });
}

export async function endDelivery(
  db: Queryable,
  deliveryId: string,
  { status, endedAt }: { status: DeliveryStatus; endedAt: string | null },
): Promise<void> {
  await withDatabaseErrors('end a delivery', async () => {
    await db.query(
      'UPDATE webhook_deliveries SET status = $2, ended_at = $3 WHERE delivery_id = $1',
      [deliveryId, status, endedAt],
    );
  });
}

export interface WebhookAttempt {
  /** From 1. */
  attempt: number;
  startedAt: string;
  milliseconds: number;
  /** Of the answer; null if there was none. */
  statusCode: number | null;
  /** Stable code of what went wrong; null if it was taken. */
  failure: string | null;
  detail: string | null;
}

/** What is known of an attempt while it lasts, and for ever if the worker is lost in it. */
const UNKNOWN_OUTCOME = 'outcome_unknown';

/** Puts on record that an attempt begins. @returns its number */
export async function beginAttempt(
  db: Queryable,
  deliveryId: string,
  startedAt: string,
): Promise<number> {
  return await withDatabaseErrors('record an attempt', async () => {
    for (;;) {
      const { rows } = await db.query<{ attempt: number }>(
        `INSERT INTO webhook_attempts (delivery_id, attempt, started_at, milliseconds, failure)
         SELECT $1, coalesce(max(attempt), 0) + 1, $2, 0, $3
         FROM webhook_attempts WHERE delivery_id = $1
         ON CONFLICT DO NOTHING
         RETURNING attempt`,
        [deliveryId, startedAt, UNKNOWN_OUTCOME],
      );
      // Another attempt that began at the same moment took the number: it is seen the next time.
      if (rows[0] !== undefined) return rows[0].attempt;
    }
  });
}

/** Puts on record what came of it. */
export async function endAttempt(
  db: Queryable,
  deliveryId: string,
  { attempt, milliseconds, statusCode, failure, detail }: Omit<WebhookAttempt, 'startedAt'>,
): Promise<void> {
  await withDatabaseErrors('record what came of an attempt', async () => {
    await db.query(
      `UPDATE webhook_attempts SET milliseconds = $3, status_code = $4, failure = $5, detail = $6
       WHERE delivery_id = $1 AND attempt = $2`,
      [deliveryId, attempt, milliseconds, statusCode, failure, detail],
    );
  });
}

/** The last attempts at some deliveries, the newest first. */
export async function attemptsOf(
  db: Queryable,
  deliveryIds: readonly string[],
  { limit }: { limit: number },
): Promise<(WebhookAttempt & { deliveryId: string })[]> {
  return await withDatabaseErrors('read attempts', async () => {
    const { rows } = await db.query<WebhookAttempt & { deliveryId: string }>(
      `SELECT a.* FROM unnest($1::text[]) AS t(delivery_id)
       CROSS JOIN LATERAL (
         SELECT delivery_id AS "deliveryId", attempt, started_at AS "startedAt", milliseconds,
           status_code AS "statusCode", failure, detail
         FROM webhook_attempts w WHERE w.delivery_id = t.delivery_id ORDER BY attempt DESC LIMIT $2
       ) a`,
      [deliveryIds, limit],
    );
    return rows;
  });
}
