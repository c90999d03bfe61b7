import type { Pool } from 'pg';
import { findOrMakeEventTypes, findOrMakeMetadata, findOrMakeSeries } from '../db/dictionaries.ts';
import type { MetadataBody, SeriesIdentity } from '../db/dictionaries.ts';
import type {
  PreparedBatch,
  PreparedOrigin,
  PreparedReject,
  PreparedSample,
} from '../db/prepared_batch.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { encodeSampleEntry } from '../ledger/entry.ts';
import { sampleId } from '../ledger/identity.ts';
import { leafHash } from '../ledger/merkle.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import { NephoError } from '../meters/errors.ts';
import { MAX_METADATA_LENGTH } from '../meters/limits.ts';
import type { Reading } from '../meters/sample.ts';
import { BoundedCache } from './bounded_cache.ts';
import type { DefinitionsInForce } from './definition_source.ts';
import type { StageClock } from './stage_clock.ts';
import { acceptedSpan, isReject, reject, understand } from './understand.ts';
import type { Delivery, Understood } from './understand.ts';

/** Series, metadata and event types kept in memory, in entries. A missing one costs a query. */
const SERIES_CACHED = 200_000;
const METADATA_CACHED = 50_000;
const EVENT_TYPES_CACHED = 10_000;

interface KnownMetadata {
  digest: string;
  id: number;
}

export interface PrepareOptions {
  definitions: DefinitionsInForce;
  /** Canonical UTC timestamp. */
  recordedAt: string;
  nowMs: number;
}

/** A notification whose metadata has its canonical text, one for each reading. */
interface Worded {
  understood: Understood;
  metadata: string[];
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
  readonly #series = new BoundedCache<string, number>(SERIES_CACHED);
  readonly #metadata = new BoundedCache<string, KnownMetadata>(METADATA_CACHED);
  readonly #eventTypes = new BoundedCache<string, number>(EVENT_TYPES_CACHED);

  constructor(pool: Pool, options: { logId: number; source: string; clock: StageClock }) {
    this.#pool = pool;
    this.#logId = options.logId;
    this.#source = options.source;
    this.#clock = options.clock;
  }

  async prepare(deliveries: readonly Delivery[], options: PrepareOptions): Promise<PreparedBatch> {
    const rejects: PreparedReject[] = [];
    const worded = this.#clock.time('decode', () => this.#word(deliveries, options, rejects));
    await this.#clock.timeAsync('dictionaries', () => this.#learn(worded));
    const origins = this.#clock.time(
      'hash',
      () => worded.map((one) => this.#identify(one, options)),
    );
    for (const cache of [this.#series, this.#metadata, this.#eventTypes]) cache.trim();
    return {
      recordedAt: options.recordedAt,
      definitionSetId: options.definitions.definitionSetId,
      origins,
      rejects,
    };
  }

  #word(
    deliveries: readonly Delivery[],
    options: PrepareOptions,
    rejects: PreparedReject[],
  ): Worded[] {
    const context = {
      definitions: options.definitions.set,
      source: this.#source,
      span: acceptedSpan(options.nowMs),
    };
    const worded: Worded[] = [];
    for (const delivery of deliveries) {
      const understood = understand(delivery, context);
      if (isReject(understood)) {
        rejects.push(understood);
        continue;
      }
      try {
        worded.push({ understood, metadata: understood.readings.map(metadataText) });
      } catch (error) {
        rejects.push(reject(delivery, understood, error));
      }
    }
    return worded;
  }

  /** Makes sure that everything these notifications refer to has a number. */
  async #learn(worded: readonly Worded[]): Promise<void> {
    const series = new Map<string, SeriesIdentity>();
    const metadata = new Map<string, MetadataBody>();
    const eventTypes = new Set<string>();
    for (const { understood, metadata: texts } of worded) {
      if (this.#eventTypes.get(understood.eventType) === undefined) {
        eventTypes.add(understood.eventType);
      }
      understood.readings.forEach((reading, index) => {
        const name = seriesName(reading);
        if (this.#series.get(name) === undefined) series.set(name, this.#seriesIdentity(reading));
        const body = texts[index] ?? '';
        if (this.#metadata.get(body) === undefined && !metadata.has(body)) {
          metadata.set(body, { digest: sha256Hex(body), body });
        }
      });
    }
    await Promise.all([
      this.#learnSeries(series),
      this.#learnMetadata(metadata),
      this.#learnEventTypes(eventTypes),
    ]);
  }

  async #learnSeries(wanted: ReadonlyMap<string, SeriesIdentity>): Promise<void> {
    if (wanted.size === 0) return;
    const ids = await findOrMakeSeries(this.#pool, this.#logId, [...wanted.values()]);
    [...wanted.keys()].forEach((name, index) => this.#series.set(name, ids[index] ?? 0));
  }

  async #learnMetadata(wanted: ReadonlyMap<string, MetadataBody>): Promise<void> {
    if (wanted.size === 0) return;
    const bodies = [...wanted.values()];
    const ids = await findOrMakeMetadata(this.#pool, bodies);
    bodies.forEach(({ body, digest }, index) =>
      this.#metadata.set(body, { digest, id: ids[index] ?? 0 })
    );
  }

  async #learnEventTypes(wanted: ReadonlySet<string>): Promise<void> {
    if (wanted.size === 0) return;
    const names = [...wanted];
    const ids = await findOrMakeEventTypes(this.#pool, names);
    names.forEach((name, index) => this.#eventTypes.set(name, ids[index] ?? 0));
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

  #identify({ understood, metadata }: Worded, options: PrepareOptions): PreparedOrigin {
    const ordinals = new Map<string, number>();
    return {
      key: understood.key,
      source: this.#source,
      origin: understood.origin,
      eventTypeId: this.#eventTypes.get(understood.eventType) ?? 0,
      content: understood.content,
      withoutVolume: understood.withoutVolume,
      matched: understood.matched,
      samples: understood.readings.map((reading, index) => {
        const thing = `${reading.meter}\0${reading.resource_id}`;
        const ordinal = ordinals.get(thing) ?? 0;
        ordinals.set(thing, ordinal + 1);
        return this.#sample(reading, understood.origin, {
          ordinal,
          metadata: this.#metadata.get(metadata[index] ?? '') ?? { digest: '', id: 0 },
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
    { ordinal, metadata, options }: {
      ordinal: number;
      metadata: KnownMetadata;
      options: PrepareOptions;
    },
  ): PreparedSample {
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
      seriesId: this.#series.get(seriesName(reading)) ?? 0,
      metadataId: metadata.id,
      ordinal,
      timestamp,
      volume,
      leaf: leafHash(entry),
    };
  }
}

/** What tells a series from all others: 32 hexadecimal digits, in every deployment the same. */
function seriesKey(logId: number, series: Omit<SeriesIdentity, 'key'>): string {
  const { meter, type, unit, project_id, user_id, resource_id, source } = series;
  return sha256Hex(
    JSON.stringify([logId, meter, type, unit, project_id, user_id, resource_id, source]),
  ).slice(0, 32);
}

/** Names hold no NUL, so this text is as good as the identity. */
function seriesName(reading: Reading): string {
  return `${reading.meter}\0${reading.type}\0${reading.unit}\0${reading.project_id ?? '\0'}\0` +
    `${reading.user_id ?? '\0'}\0${reading.resource_id}`;
}

function metadataText(reading: Reading): string {
  const text = canonicalJson(reading.metadata);
  if (text.length > MAX_METADATA_LENGTH) {
    throw new NephoError(
      'too_large',
      `Cannot keep ${text.length} characters of metadata of '${reading.meter}': at most ${MAX_METADATA_LENGTH} are kept, name fewer in its definition`,
      { context: { place: 'metadata', meter: reading.meter } },
    );
  }
  return text;
}
