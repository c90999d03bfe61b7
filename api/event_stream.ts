import { tracked } from '@trpc/server';
import { z } from 'zod';
import { type LogVector, type ReadEvents, readSizes } from '../db/log_events.ts';
import type { Queryable } from '../db/client.ts';
import type { ApiDeps } from './deps.ts';
import { apiError, toTrpcError } from './errors.ts';
import { LogTail } from './log_tail.ts';
import { bindCursor, MAX_CURSOR_LENGTH, openCursor, type PagedQuery } from './pagination.ts';
import type { Principal } from './principal.ts';
import { scopeOf, viewerOf } from './tenancy.ts';

/** Subscriptions that one process serves at once, and those of one key. */
export const MAX_SUBSCRIPTIONS = 1_000;
export const MAX_SUBSCRIPTIONS_OF_KEY = 50;
/** Events of one look into the database. */
const BATCH_EVENTS = 100;

/** Where to go on. */
export const eventInput = {
  /** The `id` of the last event that was dealt with: the next one follows it. */
  cursor: z.string().min(1).max(MAX_CURSOR_LENGTH).nullable().optional(),
  /** Without a cursor: all that ever was, or only what comes from now on. */
  start: z.enum(['oldest', 'newest']).default('oldest'),
  /** Set by tRPC's client when it connects again. */
  lastEventId: z.string().max(MAX_CURSOR_LENGTH).nullable().optional(),
};

const eventInputSchema = z.object(eventInput);
type EventInput = z.output<typeof eventInputSchema>;

export interface EventStreams {
  readonly tail: LogTail;
  /** How many are open. */
  readonly open: number;
  /** Counts one; the function that is returned ends it. @throws {NephoError} `too_many_subscriptions` */
  enter(principal: Principal): () => void;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  /** Ends all of them: their readers connect again. */
  stop(): void;
}

export function createEventStreams(db: Queryable): EventStreams {
  const tail = new LogTail(() => readSizes(db));
  const openByKey = new Map<string, number>();
  const stopping = new AbortController();
  let open = 0;
  return {
    tail,
    get open() {
      return open;
    },
    enter({ keyId }) {
      const own = openByKey.get(keyId) ?? 0;
      if (open >= MAX_SUBSCRIPTIONS || own >= MAX_SUBSCRIPTIONS_OF_KEY) {
        throw apiError('too_many_subscriptions', 'Cannot follow any more events at once');
      }
      open += 1;
      openByKey.set(keyId, own + 1);
      return () => {
        open -= 1;
        const left = (openByKey.get(keyId) ?? 1) - 1;
        if (left === 0) openByKey.delete(keyId);
        else openByKey.set(keyId, left);
      };
    },
    stopping: stopping.signal,
    stop: () => stopping.abort(),
  };
}

/** Who follows: the context of the call, and the request's signal, aborted when its reader is gone. */
export interface Follower {
  readonly ctx: {
    readonly deps: Pick<ApiDeps, 'db'>;
    readonly streams: EventStreams;
    readonly principal: Principal;
  };
  readonly signal: AbortSignal | undefined;
}

export interface EventKind<Event extends Place, Wire> {
  readonly procedure: string;
  readonly read: ReadEvents<Event>;
  readonly wire: (event: Event) => Wire;
}

interface Place {
  readonly logId: number;
  readonly leaf: number;
}

/**
 * The events of a kind, each with the cursor behind it, without end. Those of a log come in its order; what
 * a cursor says is where each log was read to, so that whoever goes on from it loses none and sees none
 * twice.
 *
 * @throws {TRPCError} with the code of what happened, since tRPC's client connects again after those that
 *   may pass: `cursor_invalid`, `cursor_of_another_query`, `too_many_subscriptions`, `server_stopping`
 */
export async function* followEvents<Event extends Place, Wire>(
  follower: Follower,
  kind: EventKind<Event, Wire>,
  input: EventInput,
) {
  try {
    yield* eventsOf(follower, kind, input);
  } catch (error) {
    if (follower.signal?.aborted === true) return;
    throw toTrpcError(
      follower.ctx.streams.stopping.aborted
        ? apiError('server_stopping', 'Cannot go on: the server stops')
        : error,
    );
  }
}

async function* eventsOf<Event extends Place, Wire>(
  { ctx: { deps, streams, principal }, signal }: Follower,
  { procedure, read, wire }: EventKind<Event, Wire>,
  input: EventInput,
) {
  const query: PagedQuery = { procedure, filters: { viewer: viewerOf(principal) } };
  const cursor = openCursor(query, input.lastEventId ?? input.cursor ?? undefined);
  const leave = streams.enter(principal);
  const end = AbortSignal.any([streams.stopping, ...signal === undefined ? [] : [signal]]);
  try {
    let sizes = await streams.tail.next(null, end);
    let after = new Map(cursor === null && input.start === 'newest' ? sizes : readVector(cursor));
    for (;;) {
      const events = await read(deps.db.pool, scopeOf(principal), {
        after,
        sizes,
        limit: BATCH_EVENTS,
      });
      for (const event of events) {
        after.set(event.logId, event.leaf + 1);
        yield tracked(bindCursor(query, writeVector(after)) ?? '', wire(event));
      }
      if (events.length === BATCH_EVENTS) continue;
      after = new Map(sizes);
      sizes = await streams.tail.next(sizes, end);
    }
  } finally {
    leave();
  }
}

function writeVector(vector: LogVector): string {
  return JSON.stringify([...vector]);
}

const vectorSchema = z.array(z.tuple([z.int().min(0).max(8_191), z.int().min(0).max(2 ** 40)]));

function readVector(cursor: string | null): LogVector {
  if (cursor === null) return new Map();
  try {
    return new Map(vectorSchema.parse(JSON.parse(cursor)));
  } catch {
    throw apiError('cursor_invalid', 'Cannot read the cursor: it is not one of this API');
  }
}
