import type { Pool } from 'pg';
import { findOrMakeEventTypes, findOrMakeMetadata, findOrMakeSeries } from '../db/dictionaries.ts';
import type { SeriesIdentity } from '../db/dictionaries.ts';
import type {
  PreparedBatch,
  PreparedOrigin,
  PreparedReject,
  PreparedSample,
} from '../db/prepared_batch.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { encodeSampleEntry } from '../ledger/entry.ts';
import { sampleId, seriesKey } from '../ledger/identity.ts';
import { leafHash } from '../ledger/merkle.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';
import { MAX_METADATA_LENGTH, MAX_NOTIFICATION_BYTES } from '../meters/limits.ts';
import type { JsonObject } from '../meters/json.ts';
import type { Reading } from '../meters/sample.ts';
import { BoundedCache } from './bounded_cache.ts';
import type { DefinitionsInForce } from './definition_source.ts';
import type { CheckSampleSignatures } from './sample_signatures.ts';
import type { StageClock } from './stage_clock.ts';
import { acceptedSpan, isReject, reject, understand } from './understand.ts';
import type { Delivery, Understood } from './understand.ts';

/** Series, metadata and event types kept in memory, in entries. A missing one costs a query. */
const SERIES_CACHED = 200_000;
const METADATA_CACHED = 50_000;
const EVENT_TYPES_CACHED = 10_000;
/** UTF-16 units. */
const LONG_METADATA = 4_096;

/** A dictionary's entry as the cache holds it: its number is 0 until the dictionary was asked. */
interface Known {
  id: number;
}

interface KnownMetadata extends Known {
  /** 64 hexadecimal digits. */
  digest: string;
}

export interface PrepareOptions {
  definitions: DefinitionsInForce;
  /** Canonical UTC timestamp. */
  recordedAt: string;
  nowMs: number;
}

/** A notification with the entries of the dictionaries that its readings refer to. */
interface Referred {
  understood: Understood;
  eventType: Known;
  series: Known[];
  metadata: KnownMetadata[];
}

/** What a batch refers to and the cache did not hold. */
interface Wanted {
  series: { known: Known; identity: SeriesIdentity }[];
  metadata: { known: KnownMetadata; body: string }[];
  eventTypes: { known: Known; name: string }[];
}

/**
 * Turns messages into what the store needs: decoded, defined, identified and hashed, with the numbers
 * of their series and metadata. One preparer serves one log; its caches live as long as its leg.
 */
export class BatchPreparer {
  readonly #pool: Pool;
  readonly #logId: number;
  readonly #source: string;
  readonly #clock: StageClock;
  readonly #checkSignatures: CheckSampleSignatures;
  readonly #series = new BoundedCache<string, Known>(SERIES_CACHED);
  readonly #metadata = new BoundedCache<string, KnownMetadata>(METADATA_CACHED);
  readonly #eventTypes = new BoundedCache<string, Known>(EVENT_TYPES_CACHED);

  constructor(
    pool: Pool,
    options: {
      logId: number;
      source: string;
      clock: StageClock;
      checkSignatures: CheckSampleSignatures;
    },
  ) {
    this.#pool = pool;
    this.#logId = options.logId;
    this.#source = options.source;
    this.#clock = options.clock;
    this.#checkSignatures = options.checkSignatures;
  }

  async prepare(deliveries: readonly Delivery[], options: PrepareOptions): Promise<PreparedBatch> {
    const rejects: PreparedReject[] = [];
    const wanted: Wanted = { series: [], metadata: [], eventTypes: [] };
    const referred = this.#clock.time(
      'decode',
      () => this.#understandAll(deliveries, options, { rejects, wanted }),
    );
    await this.#clock.timeAsync('dictionaries', () => this.#learn(wanted));
    const origins = this.#clock.time(
      'hash',
      () => referred.map((one) => this.#identify(one, options)),
    );
    for (const cache of [this.#series, this.#metadata, this.#eventTypes]) cache.trim();
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
    { rejects, wanted }: { rejects: PreparedReject[]; wanted: Wanted },
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
        referred.push(this.#refer(understood, wanted));
      } catch (error) {
        rejects.push(reject(delivery, understood, error));
      }
    }
    return referred;
  }

  /** Looks up what a notification refers to; what is not known is entered without its number. */
  #refer(understood: Understood, wanted: Wanted): Referred {
    const texts = metadataTexts(understood.readings);
    return {
      understood,
      eventType: this.#eventType(understood.eventType, wanted),
      series: understood.readings.map((reading) => this.#seriesOf(reading, wanted)),
      metadata: texts.map((body) => this.#metadataOf(body, wanted)),
    };
  }

  #eventType(name: string, wanted: Wanted): Known {
    const cached = this.#eventTypes.get(name);
    if (cached !== undefined) return cached;
    const known = { id: 0 };
    this.#eventTypes.set(name, known);
    wanted.eventTypes.push({ known, name });
    return known;
  }

  #seriesOf(reading: Reading, wanted: Wanted): Known {
    const name = seriesName(reading);
    const cached = this.#series.get(name);
    if (cached !== undefined) return cached;
    const known = { id: 0 };
    this.#series.set(name, known);
    wanted.series.push({ known, identity: this.#seriesIdentity(reading) });
    return known;
  }

  #metadataOf(body: string, wanted: Wanted): KnownMetadata {
    const isLong = body.length > LONG_METADATA;
    // Long texts are known by their digest, so that the cache does not hold them.
    const name = isLong ? sha256Hex(body) : body;
    const cached = this.#metadata.get(name);
    if (cached !== undefined) return cached;
    const known = { id: 0, digest: isLong ? name : sha256Hex(body) };
    this.#metadata.set(name, known);
    wanted.metadata.push({ known, body });
    return known;
  }

  /** Fills in the numbers; if that fails the leg ends, and its caches with it. */
  async #learn({ series, metadata, eventTypes }: Wanted): Promise<void> {
    const bodies = metadata.map(({ known, body }) => ({ digest: known.digest, body }));
    await Promise.all([
      fill(
        series,
        (all) => findOrMakeSeries(this.#pool, this.#logId, all.map(({ identity }) => identity)),
      ),
      fill(metadata, () => findOrMakeMetadata(this.#pool, bodies)),
      fill(eventTypes, (all) => findOrMakeEventTypes(this.#pool, all.map(({ name }) => name))),
    ]);
  }

  #seriesIdentity(reading: Reading): SeriesIdentity {
    const identity = {
      meter: reading.meter,
      type: reading.type,
      unit: reading.unit,
      project_id: reading.project_id,
      user_id: reading.user_id,
      resource_id: reading.resource_id,
      source: this.#source,
    };
    return { key: seriesKey(this.#logId, identity), ...identity };
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

async function fill<Want extends { known: Known }>(
  wanted: readonly Want[],
  ask: (wanted: readonly Want[]) => Promise<number[]>,
): Promise<void> {
  if (wanted.length === 0) return;
  const ids = await ask(wanted);
  wanted.forEach(({ known }, index) => {
    known.id = ids[index] ?? 0;
  });
}

/** Names hold no NUL, so this text is as good as the identity. */
function seriesName(reading: Reading): string {
  return `${reading.meter}\0${reading.type}\0${reading.unit}\0${reading.project_id ?? '\0'}\0` +
    `${reading.user_id ?? '\0'}\0${reading.resource_id}`;
}

/**
 * The canonical metadata of each reading. Readings that share one object share its text: thousands of
 * copies of a large payload would end the worker.
 */
function metadataTexts(readings: readonly Reading[]): string[] {
  const texts = new Map<JsonObject, string>();
  let total = 0;
  return readings.map((reading) => {
    const known = texts.get(reading.metadata);
    if (known !== undefined) return known;
    const text = canonicalJson(reading.metadata);
    total += text.length;
    if (text.length > MAX_METADATA_LENGTH) {
      throw tooLarge(reading, text.length, MAX_METADATA_LENGTH);
    }
    if (total > MAX_NOTIFICATION_BYTES) throw tooLarge(reading, total, MAX_NOTIFICATION_BYTES);
    texts.set(reading.metadata, text);
    return text;
  });
}

function tooLarge({ meter }: Reading, length: number, limit: number): NephoError {
  return new NephoError(
    'too_large',
    `Cannot keep ${length} characters of metadata with '${meter}': at most ${limit} are kept, name fewer in its definition`,
    { context: { place: 'metadata', meter } },
  );
}
