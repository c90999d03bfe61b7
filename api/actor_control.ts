import {
  type WorkflowClient,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { formatMillis } from '../meters/timestamp.ts';
import { ingestShardId } from '../temporal.config.ts';
import {
  drainSignal,
  type IngestStatus,
  pauseSignal,
  resumeSignal,
  statusQuery,
} from '../workflows/ingest_shard.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';
import type { Actor } from './actor_schema.ts';

/** Milliseconds that Temporal and the worker have to answer. */
const ANSWER_MS = 5_000;

export type Order = { order: 'pause'; reason: string } | { order: 'resume' } | { order: 'drain' };

type Deps = Pick<ApiDeps, 'workflows'>;

/**
 * What an actor is doing. Where no worker answers its query, what Temporal alone knows.
 *
 * @throws {NephoError} `actors_unavailable`
 */
export async function describeActor(deps: Deps, shard: number): Promise<Actor> {
  const client = clientOf(deps);
  const handle = client.getHandle(ingestShardId(shard));
  const description = await unlessAbsent(client, () => handle.describe());
  if (description === null) return absent(shard);
  const status = description.status.name === 'RUNNING' ? await queryStatus(client, handle) : null;
  return {
    actor_id: handle.workflowId,
    shard,
    workflow_status: description.status.name,
    mode: status?.mode ?? null,
    reason: status?.reason ?? null,
    leg_running: status?.leg_running ?? null,
    run_id: description.runId,
    started_at: formatMillis(description.startTime.getTime()),
    history_events: description.historyLength,
    totals: status?.totals ?? null,
    last_receipt: status?.last_receipt ?? null,
  };
}

/** @throws {NephoError} `not_found`, `actors_unavailable` */
export async function signalActor(deps: Deps, shard: number, order: Order): Promise<void> {
  const client = clientOf(deps);
  const handle = client.getHandle(ingestShardId(shard));
  const sent = await unlessAbsent(client, async () => {
    if (order.order === 'pause') await handle.signal(pauseSignal, order.reason);
    else await handle.signal(order.order === 'resume' ? resumeSignal : drainSignal);
    return true;
  });
  if (sent === null) {
    throw apiError('not_found', `Cannot ${order.order} ${handle.workflowId}: it is not running`);
  }
}

/** @throws {NephoError} `actors_unavailable` */
export function clientOf({ workflows }: Deps): WorkflowClient {
  if (workflows !== null) return workflows;
  throw apiError('actors_unavailable', 'Cannot reach the actors: this API has no Temporal');
}

/** Null if no worker answers: the actor lives on all the same. */
async function queryStatus(
  client: WorkflowClient,
  handle: WorkflowHandle,
): Promise<IngestStatus | null> {
  try {
    return await client.withDeadline(deadline(), () => handle.query(statusQuery));
  } catch {
    return null;
  }
}

/** Null for an actor that is not running. @throws {NephoError} `actors_unavailable` */
export async function unlessAbsent<T>(
  client: WorkflowClient,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await client.withDeadline(deadline(), work);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw apiError(
      'actors_unavailable',
      'Cannot reach the actors: Temporal does not answer',
      error,
    );
  }
}

/** When Temporal must have answered. gRPC wants a time of this machine's clock. */
export function deadline(): number {
  return Date.now() + ANSWER_MS;
}

function absent(shard: number): Actor {
  return {
    actor_id: ingestShardId(shard),
    shard,
    workflow_status: 'ABSENT',
    mode: null,
    reason: null,
    leg_running: null,
    run_id: null,
    started_at: null,
    history_events: null,
    totals: null,
    last_receipt: null,
  };
}
