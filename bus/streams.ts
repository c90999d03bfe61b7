import {
  AckPolicy,
  type ConsumerConfig,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { Objm } from '@nats-io/obj';
import { NephoError } from '../meters/errors.ts';
import { busError } from './errors.ts';
import {
  INTAKE_STREAM,
  INTAKE_SUBJECTS,
  intakeConsumer,
  intakeSubject,
  LARGE_BUCKET,
  LARGE_BUCKET_STREAM,
} from './subjects.ts';

/** Within this time the stream itself recognises a message that it has; later ingest does. */
const DUPLICATE_WINDOW_MS = 5 * 60_000;
/** A batch that is not settled by then is delivered again, to whoever asks. */
const ACK_WAIT_MS = 60_000;
/** Batches of a thousand that are prepared, being stored, and left behind by a worker that died. */
const MAX_ACK_PENDING = 16_384;
const SHARDS_KEY = 'nepho.shards';

export interface IntakeOptions {
  /** How many shards, and logs. It cannot change later. */
  shards: number;
  /** Bytes that the intake may take on disk; beyond it senders are told to wait. */
  maxBytes: number;
  /** Servers that keep a copy; 1 unless given. */
  replicas?: number;
  ackWaitMs?: number;
  duplicateWindowMs?: number;
}

/**
 * Makes the intake as it must be, or brings it there: the stream, a durable pull consumer for each shard,
 * and the bucket for large bodies. Several may do it at once, and again.
 *
 * The stream drops nothing by age, and refuses what is new when it is full, so that nothing is lost
 * which ingest has not stored; what it has stored is removed by `trimIntake`.
 *
 * @throws {NephoError} `shards_conflict` if the intake has another number of shards,
 * `bus_unavailable`, `bus_refused`
 */
export async function ensureIntakeStream(
  jsm: JetStreamManager,
  options: IntakeOptions,
): Promise<void> {
  try {
    await ensureStream(jsm, options);
    for (let shard = 0; shard < options.shards; shard += 1) {
      await ensureConsumer(jsm, consumerConfig(shard, options));
    }
    await ensureBucket(jsm, options);
  } catch (error) {
    throw busError(error, `prepare the stream ${INTAKE_STREAM}`);
  }
}

/**
 * How many shards the intake has: what a sender must know of it.
 *
 * @throws {NephoError} `intake_missing` if nobody made it yet, `bus_unavailable`
 */
export async function intakeShards(jsm: JetStreamManager): Promise<number> {
  try {
    const { config } = await jsm.streams.info(INTAKE_STREAM);
    return Number(config.metadata?.[SHARDS_KEY]);
  } catch (error) {
    if (!isMissing(error)) throw busError(error, `look at the stream ${INTAKE_STREAM}`);
    throw new NephoError(
      'intake_missing',
      `Cannot find the stream ${INTAKE_STREAM}: start the worker, which makes it`,
      { cause: error, retryable: true },
    );
  }
}

async function ensureStream(jsm: JetStreamManager, options: IntakeOptions): Promise<void> {
  const wanted = streamConfig(options);
  let present: StreamConfig;
  try {
    present = (await jsm.streams.info(INTAKE_STREAM)).config;
  } catch (error) {
    if (!isMissing(error)) throw error;
    present = (await jsm.streams.add(wanted)).config;
  }
  checkShards(present, options.shards);
  if (differs(present, wanted)) await jsm.streams.update(INTAKE_STREAM, wanted);
}

function streamConfig(options: IntakeOptions) {
  return {
    name: INTAKE_STREAM,
    description: 'Notifications and readings on their way into the log',
    subjects: [INTAKE_SUBJECTS],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    storage: StorageType.File,
    max_bytes: options.maxBytes,
    max_age: 0,
    num_replicas: options.replicas ?? 1,
    duplicate_window: nanos(options.duplicateWindowMs ?? DUPLICATE_WINDOW_MS),
    metadata: { [SHARDS_KEY]: String(options.shards) },
  };
}

/** With another number a series would move to another log, and what waits would find no reader. */
function checkShards(present: StreamConfig, wanted: number): void {
  const shards = present.metadata?.[SHARDS_KEY];
  if (shards === String(wanted)) return;
  throw new NephoError(
    'shards_conflict',
    `Cannot use ${wanted} shards: the stream ${INTAKE_STREAM} was made for ${
      shards ?? 'an unknown number'
    }; configure that number, or begin with a new deployment`,
    { context: { wanted, present: shards ?? null } },
  );
}

function consumerConfig(shard: number, options: IntakeOptions) {
  return {
    durable_name: intakeConsumer(shard),
    filter_subject: intakeSubject(shard),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(options.ackWaitMs ?? ACK_WAIT_MS),
    max_ack_pending: MAX_ACK_PENDING,
    max_deliver: -1,
  };
}

async function ensureConsumer(
  jsm: JetStreamManager,
  wanted: ReturnType<typeof consumerConfig>,
): Promise<void> {
  let present: ConsumerConfig;
  try {
    present = (await jsm.consumers.info(INTAKE_STREAM, wanted.durable_name)).config;
  } catch (error) {
    if (!isMissing(error)) throw error;
    await jsm.consumers.add(INTAKE_STREAM, wanted);
    return;
  }
  if (differs(present, wanted)) {
    await jsm.consumers.update(INTAKE_STREAM, wanted.durable_name, wanted);
  }
}

async function ensureBucket(jsm: JetStreamManager, options: IntakeOptions): Promise<void> {
  try {
    await jsm.streams.info(LARGE_BUCKET_STREAM);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await new Objm(jsm.jetstream()).create(LARGE_BUCKET, {
      description: 'Bodies of the intake that exceed the largest message',
      storage: StorageType.File,
      replicas: options.replicas ?? 1,
    });
  }
}

/** Whether what is there lacks any of what is wanted. Servers add fields of their own. */
function differs(present: object, wanted: object): boolean {
  const there = new Map<string, unknown>(Object.entries(present));
  return Object.entries(wanted).some(([key, value]) => {
    if (key === 'metadata') return false;
    return JSON.stringify(there.get(key)) !== JSON.stringify(value);
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError &&
    (error.code === JetStreamApiCodes.StreamNotFound ||
      error.code === JetStreamApiCodes.ConsumerNotFound);
}
