import {
  type WorkflowClient,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { formatMillis } from '../meters/timestamp.ts';
import { ingestShardId, windowKeeperId } from '../temporal.config.ts';
import type { IngestStatus } from '../workflows/ingest_shard.ts';
import type { KeeperStatus } from '../workflows/window_keeper.ts';
import type { ApiDeps } from './deps.ts';
import { apiError } from './errors.ts';
import type { Actor, ActorKind } from './actor_schema.ts';

/** Milliseconds that Temporal and the worker have to answer. */
const ANSWER_MS = 5_000;

export type Order =
  | { order: 'pause'; reason: string }
  | { order: 'resume' }
  | { order: 'drain' }
  | { order: 'look' };

/** One of the actors of a shard. */
export interface ActorName {
  kind: ActorKind;
  shard: number;
}

type Deps = Pick<ApiDeps, 'workflows'>;

export function actorId({ kind, shard }: ActorName): string {
  return kind === 'ingest' ? ingestShardId(shard) : windowKeeperId(shard);
}

/**
 * What an actor is doing. Where no worker answers its query, what Temporal alone knows.
 *
 * @throws {NephoError} `actors_unavailable`
 */
export async function describeActor(deps: Deps, name: ActorName): Promise<Actor> {
  const client = clientOf(deps);
  const handle = client.getHandle(actorId(name));
  const description = await unlessAbsent(client, () => handle.describe());
  if (description === null) return absent(name);
  const isRunning = description.status.name === 'RUNNING';
  return {
    ...absent(name),
    workflow_status: description.status.name,
    run_id: description.runId,
    started_at: formatMillis(description.startTime.getTime()),
    history_events: description.historyLength,
    ...isRunning ? await statusOf(client, handle, name.kind) : {},
  };
}

/** What the actor itself says. */
async function statusOf(
  client: WorkflowClient,
  handle: WorkflowHandle,
  kind: ActorKind,
): Promise<Partial<Actor>> {
  if (kind === 'ingest') {
    const status = await queryStatus<IngestStatus>(client, handle);
    if (status === null) return {};
    const { mode, reason, leg_running, totals, last_receipt } = status;
    return { mode, reason, leg_running, totals, last_receipt };
  }
  const status = await queryStatus<KeeperStatus>(client, handle);
  if (status === null) return {};
  const { mode, reason, sealing, totals, watermark, last_run } = status;
  return { mode, reason, keeper: { sealing, totals, watermark, last_run } };
}

/** @throws {NephoError} `not_found`, `actors_unavailable` */
export async function signalActor(deps: Deps, name: ActorName, order: Order): Promise<void> {
  const client = clientOf(deps);
  const handle = client.getHandle(actorId(name));
  const sent = await unlessAbsent(client, async () => {
    if (order.order === 'pause') await handle.signal('pause', order.reason);
    else await handle.signal(order.order);
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
async function queryStatus<Status>(
  client: WorkflowClient,
  handle: WorkflowHandle,
): Promise<Status | null> {
  try {
    return await client.withDeadline(deadline(), () => handle.query<Status>('status'));
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

function absent(name: ActorName): Actor {
  return {
    actor_id: actorId(name),
    ...name,
    workflow_status: 'ABSENT',
    mode: null,
    reason: null,
    leg_running: null,
    run_id: null,
    started_at: null,
    history_events: null,
    totals: null,
    last_receipt: null,
    keeper: null,
  };
}
