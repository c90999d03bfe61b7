import type { Pool } from 'pg';
import type {
  PreparedBatch,
  PreparedOrigin,
  PreparedPollNote,
  PreparedReject,
  PreparedSample,
} from '../db/prepared_batch.ts';
import { encodeSampleEntry } from '../ledger/sample_entry.ts';
import { sampleId } from '../ledger/identity.ts';
import { leafHash } from '../ledger/merkle.ts';
import { assert } from '../meters/assert.ts';
import { isPollMessage } from '../meters/poll_message.ts';
import type { Reading } from '../meters/sample.ts';
import type { DefinitionsInForce } from './definition_source.ts';
import type { Known, KnownMetadata, Referred } from './references.ts';
import { References } from './references.ts';
import type { CheckSampleSignatures } from './sample_signatures.ts';
import type { StageClock } from './stage_clock.ts';
import { acceptedSpan, isReject, reject, understand } from './understand.ts';
import type { Delivery, Understood } from './understand.ts';
import { gapOfRejected, understandPoll } from './understand_poll.ts';

export interface PrepareOptions {
  definitions: DefinitionsInForce;
  /** Canonical UTC timestamp. */
  recordedAt: string;
  nowMs: number;
}

interface UnderstoodBatch {
  referred: Referred[];
  rejects: PreparedReject[];
  polls: PreparedPollNote[];
}

/**
 * Turns messages into what the store needs: decoded, defined, identified and hashed, with the numbers
 * of their series and metadata. One preparer serves one log; its caches live as long as its leg.
 */
export class BatchPreparer {
  readonly #source: string;
  readonly #clock: StageClock;
  readonly #checkSignatures: CheckSampleSignatures;
  readonly #references: References;

  constructor(
    pool: Pool,
    options: {
      logId: number;
      source: string;
      clock: StageClock;
      checkSignatures: CheckSampleSignatures;
    },
  ) {
    this.#references = new References(pool, options);
    this.#source = options.source;
    this.#clock = options.clock;
    this.#checkSignatures = options.checkSignatures;
  }

  async prepare(deliveries: readonly Delivery[], options: PrepareOptions): Promise<PreparedBatch> {
    const { referred, rejects, polls } = this.#clock.time(
      'decode',
      () => this.#understandAll(deliveries, options),
    );
    await this.#clock.timeAsync('dictionaries', () => this.#references.learn());
    const origins = this.#clock.time(
      'hash',
      () => referred.map((one) => this.#identify(one, options)),
    );
    this.#references.trim();
    return {
      recordedAt: options.recordedAt,
      definitionSetId: options.definitions.definitionSetId,
      origins,
      rejects,
      polls,
    };
  }

  #understandAll(deliveries: readonly Delivery[], options: PrepareOptions): UnderstoodBatch {
    const context = {
      definitions: options.definitions.set,
      source: this.#source,
      span: acceptedSpan(options.nowMs),
      checkSignatures: this.#checkSignatures,
    };
    const batch: UnderstoodBatch = { referred: [], rejects: [], polls: [] };
    for (const delivery of deliveries) {
      if (isPollMessage(delivery.bytes)) {
        const poll = understandPoll(delivery, context);
        for (const unit of poll.units) this.#refer(unit, batch);
        batch.rejects.push(...poll.rejects);
        if (poll.note !== null) batch.polls.push(poll.note);
        continue;
      }
      const understood = understand(delivery, context);
      if (isReject(understood)) batch.rejects.push(understood);
      else this.#refer(understood, batch);
    }
    return batch;
  }

  #refer(understood: Understood, batch: UnderstoodBatch): void {
    try {
      batch.referred.push(this.#references.refer(understood));
    } catch (error) {
      const rejected = reject(understood.delivery, understood, error);
      batch.rejects.push(rejected);
      const { key, poll } = understood;
      if (poll !== null) batch.polls.push(gapOfRejected({ key, poll }, rejected));
    }
  }

  #identify(
    { understood, eventType, series, metadata }: Referred,
    options: PrepareOptions,
  ): PreparedOrigin {
    const ordinals = new Map<string, number>();
    return {
      key: understood.key,
      source: this.#source,
      origin: understood.origin,
      eventTypeId: eventType.id,
      content: understood.content,
      withoutVolume: understood.withoutVolume,
      matched: understood.matched,
      samples: understood.readings.map((reading, index) => {
        const thing = `${reading.meter}\0${reading.resource_id}`;
        const ordinal = ordinals.get(thing) ?? 0;
        ordinals.set(thing, ordinal + 1);
        return this.#sample(reading, understood.origin, {
          ordinal,
          series: series[index],
          metadata: metadata[index],
          options,
        });
      }),
      // Those of a polled unit are written when somebody asks for them, which is rare.
      get bytes() {
        return understood.delivery.bytes;
      },
      eventType: understood.eventType,
      via: understood.delivery.via,
      streamSequence: understood.delivery.streamSequence,
      poll: understood.poll,
    };
  }

  #sample(
    reading: Reading,
    origin: string,
    { ordinal, series, metadata, options }: {
      ordinal: number;
      series: Known | undefined;
      metadata: KnownMetadata | undefined;
      options: PrepareOptions;
    },
  ): PreparedSample {
    assert(series && metadata, 'a reading has its series and its metadata');
    const source = this.#source;
    const { meter, resource_id, timestamp, volume } = reading;
    const id = sampleId({ source, origin, meter, resource_id, index: ordinal });
    const entry = encodeSampleEntry({
      definitions: options.definitions.digest,
      id,
      index: ordinal,
      metadata: metadata.digest,
      meter,
      origin,
      project_id: reading.project_id,
      recorded_at: options.recordedAt,
      resource_id,
      source,
      timestamp,
      type: reading.type,
      unit: reading.unit,
      user_id: reading.user_id,
      volume,
    });
    return {
      id,
      seriesId: series.id,
      metadataId: metadata.id,
      ordinal,
      timestamp,
      volume,
      leaf: leafHash(entry),
    };
  }
}
