import type { Pool } from 'pg';
import type {
  PreparedBatch,
  PreparedOrigin,
  PreparedReject,
  PreparedSample,
} from '../db/prepared_batch.ts';
import { encodeSampleEntry } from '../ledger/entry.ts';
import { sampleId } from '../ledger/identity.ts';
import { leafHash } from '../ledger/merkle.ts';
import { assert } from '../meters/assert.ts';
import type { Reading } from '../meters/sample.ts';
import type { DefinitionsInForce } from './definition_source.ts';
import type { Known, KnownMetadata, Referred } from './references.ts';
import { References } from './references.ts';
import type { CheckSampleSignatures } from './sample_signatures.ts';
import type { StageClock } from './stage_clock.ts';
import { acceptedSpan, isReject, reject, understand } from './understand.ts';
import type { Delivery } from './understand.ts';

export interface PrepareOptions {
  definitions: DefinitionsInForce;
  /** Canonical UTC timestamp. */
  recordedAt: string;
  nowMs: number;
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
    const rejects: PreparedReject[] = [];
    const referred = this.#clock.time(
      'decode',
      () => this.#understandAll(deliveries, options, rejects),
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
    };
  }

  #understandAll(
    deliveries: readonly Delivery[],
    options: PrepareOptions,
    rejects: PreparedReject[],
  ): Referred[] {
    const context = {
      definitions: options.definitions.set,
      source: this.#source,
      span: acceptedSpan(options.nowMs),
      checkSignatures: this.#checkSignatures,
    };
    const referred: Referred[] = [];
    for (const delivery of deliveries) {
      const understood = understand(delivery, context);
      if (isReject(understood)) {
        rejects.push(understood);
        continue;
      }
      try {
        referred.push(this.#references.refer(understood));
      } catch (error) {
        rejects.push(reject(delivery, understood, error));
      }
    }
    return referred;
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
      bytes: understood.delivery.bytes,
      eventType: understood.eventType,
      via: understood.delivery.via,
      streamSequence: understood.delivery.streamSequence,
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
