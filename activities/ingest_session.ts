import type { LogWriter } from '../db/log_writer.ts';
import type { AppendOutcome, PreparedBatch } from '../db/prepared_batch.ts';
import type { IntakeMessage, IntakePuller } from '../bus/puller.ts';
import { encodeUtf8 } from '../ledger/bytes.ts';
import { addIngest, type IngestCounts, NO_INGEST } from '../meters/ingest_counts.ts';
import { formatMicros, formatMillis, toMicros } from '../meters/timestamp.ts';
import { appendIsolated } from './append_isolated.ts';
import type { DefinitionsInForce } from './definition_source.ts';
import type { IngestDeps } from './ingest_deps.ts';
import type { LegReceipt } from './leg_receipt.ts';
import { BatchPreparer } from './prepare_batch.ts';
import { sampleSignatures } from './sample_signatures.ts';
import { StageClock } from './stage_clock.ts';
import { announceDefinitions, takeOverLog } from './take_over_log.ts';
import type { Delivery } from './understand.ts';

/** Deliveries after which a message is stored in a batch of its own, lest it stops the others. */
const DELIVERIES_TOGETHER = 5;

/**
 * A leg's hold on one shard: the intake that it pulls from and the log that it writes to. While one batch
 * is being committed the next one is pulled and prepared; batches are committed one after the other, and
 * acknowledged after their commit.
 */
export class IngestSession {
  readonly #deps: IngestDeps;
  readonly #shard: number;
  readonly #startedMs: number;
  readonly #clock = new StageClock();
  readonly #preparer: BatchPreparer;
  readonly #puller: IntakePuller;
  readonly #writer: LogWriter;
  readonly #firstLeaf: number;
  readonly #unsettled = new Set<IntakeMessage>();
  #definitions: DefinitionsInForce;
  #recordedAt: string;
  #committing: Promise<void> = Promise.resolve();
  #counts: IngestCounts = NO_INGEST;

  static async open(deps: IngestDeps, shard: number): Promise<IngestSession> {
    const definitions = await deps.definitions.current();
    const clock = new StageClock();
    const writer = await takeOverLog(deps, shard, { definitions, clock });
    const puller = await deps.openPuller(shard);
    return new IngestSession(deps, shard, { definitions, writer, puller, clock });
  }

  private constructor(
    deps: IngestDeps,
    shard: number,
    parts: {
      definitions: DefinitionsInForce;
      writer: LogWriter;
      puller: IntakePuller;
      clock: StageClock;
    },
  ) {
    this.#deps = deps;
    this.#shard = shard;
    this.#startedMs = deps.nowMs();
    this.#clock = parts.clock;
    this.#definitions = parts.definitions;
    this.#writer = parts.writer;
    this.#puller = parts.puller;
    this.#firstLeaf = parts.writer.head.tree.size;
    this.#recordedAt = parts.writer.head.recordedAt ?? '';
    this.#preparer = new BatchPreparer(deps.pool, {
      logId: shard,
      source: deps.source,
      clock: parts.clock,
      checkSignatures: sampleSignatures(deps.sampleSignatures),
    });
  }

  /** Leaves in the log. */
  get size(): number {
    return this.#writer.head.tree.size;
  }

  /** Pulls and prepares one batch and begins its commit. @returns how many messages came */
  async step(pull: { maxMessages: number; maxWaitMs: number }): Promise<number> {
    const messages = await this.#clock.timeAsync('pull', () => this.#puller.pull(pull));
    for (const message of messages) this.#unsettled.add(message);
    await this.#useNewestDefinitions();
    if (messages.length === 0) {
      await this.settle();
      return 0;
    }
    const suspects = messages.filter((one) => one.deliveryCount > DELIVERIES_TOGETHER);
    const others = messages.filter((one) => one.deliveryCount <= DELIVERIES_TOGETHER);
    if (others.length > 0) await this.#store(others);
    for (const suspect of inChangingOrder(suspects)) await this.#store([suspect]);
    return messages.length;
  }

  /** Waits until every batch so far is committed and acknowledged. */
  async settle(): Promise<void> {
    await this.#committing;
  }

  /** True if no message waits for this shard, delivered or not. */
  async isDrained(): Promise<boolean> {
    return await this.#puller.pending() === 0;
  }

  /** Hands back what was pulled and not stored, so that it is delivered again at once. */
  async abandon(): Promise<void> {
    await this.#committing.catch(() => {});
    for (const message of this.#unsettled) message.nak(0);
    this.#unsettled.clear();
  }

  async close(): Promise<void> {
    await this.#puller.close();
    this.#deps.metrics.stages(this.#shard, this.#clock.totals());
  }

  async receipt(drained: boolean): Promise<LegReceipt> {
    const { head } = this.#writer;
    const pending = await this.#puller.pending();
    this.#deps.metrics.intakePending(this.#shard, pending);
    return {
      shard: this.#shard,
      epoch: head.epoch.toString(),
      ...this.#counts,
      first_leaf: this.#firstLeaf,
      size: head.tree.size,
      root: this.#writer.root,
      definitions: this.#definitions.digest,
      definitions_fault: this.#deps.definitions.fault,
      pending,
      drained,
      started_at: formatMillis(this.#startedMs),
      ended_at: formatMillis(this.#deps.nowMs()),
    };
  }

  async #useNewestDefinitions(): Promise<void> {
    const newest = await this.#deps.definitions.current();
    this.#deps.metrics.definitionsRefused(this.#deps.definitions.fault !== null);
    if (newest.digest === this.#definitions.digest) return;
    await this.settle();
    await announceDefinitions(this.#writer, newest, this.#nextRecordedAt());
    this.#definitions = newest;
    this.#deps.log.info('definitions_in_force', { shard: this.#shard, digest: newest.digest });
  }

  async #store(messages: readonly IntakeMessage[]): Promise<void> {
    const batch = await this.#preparer.prepare(messages.map(asDelivery), {
      definitions: this.#definitions,
      recordedAt: this.#nextRecordedAt(),
      nowMs: this.#deps.nowMs(),
    });
    await this.#committing;
    this.#committing = this.#commit(batch, messages);
    // Its failure is met at the next await of #committing; until then it must not count as unhandled.
    this.#committing.catch(() => {});
  }

  async #commit(batch: PreparedBatch, messages: readonly IntakeMessage[]): Promise<void> {
    const started = performance.now();
    const outcome = await this.#clock.timeAsync(
      'database',
      () => appendIsolated(this.#writer, batch),
    );
    this.#count(messages.length, outcome, performance.now() - started);
    await this.#clock.timeAsync('ack', async () => {
      for (const message of messages) {
        message.ack();
        this.#unsettled.delete(message);
      }
      await this.#puller.flush();
    });
  }

  #count(messages: number, outcome: AppendOutcome, milliseconds: number): void {
    this.#counts = addIngest(this.#counts, {
      batches: 1,
      messages,
      samples: outcome.samples,
      duplicates: outcome.duplicates,
      unmatched: outcome.unmatched,
      without_volume: outcome.withoutVolume,
      quarantined: outcome.quarantined,
      conflicts: outcome.conflicts,
    });
    this.#deps.metrics.batchStored(this.#shard, outcome, milliseconds);
    if (outcome.conflicts > 0) {
      this.#deps.log.error('content_conflict', {
        shard: this.#shard,
        conflicts: outcome.conflicts,
      });
    }
  }

  /** The present, and later than every former batch, whatever the clock does. */
  #nextRecordedAt(): string {
    const now = formatMillis(this.#deps.nowMs());
    this.#recordedAt = now > this.#recordedAt ? now : formatMicros(toMicros(this.#recordedAt) + 1n);
    return this.#recordedAt;
  }
}

function asDelivery(message: IntakeMessage): Delivery {
  return {
    // A body that is gone leaves its name: two of them are not the same message.
    bytes: message.fault === null ? message.bytes : encodeUtf8(message.fault.message),
    via: message.via,
    streamSequence: message.sequence,
    deliveryCount: message.deliveryCount,
    fault: message.fault,
  };
}

/**
 * The first suspect that cannot be stored ends the leg, and those behind it are not reached. So at each
 * delivery they come in another order, and at every second one in the reverse of the one before: then one
 * culprit keeps nobody from being stored, and several hardly.
 */
function inChangingOrder(suspects: readonly IntakeMessage[]): IntakeMessage[] {
  const pass = Math.max(0, ...suspects.map((one) => one.deliveryCount));
  const rank = ({ sequence }: IntakeMessage): number =>
    Math.imul(sequence ^ Math.imul(pass >> 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
  const ordered = suspects.toSorted((a, b) => rank(a) - rank(b));
  return pass % 2 === 0 ? ordered : ordered.reverse();
}
