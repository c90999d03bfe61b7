import type { Pool } from 'pg';
import { findOrMakeEventTypes, findOrMakeMetadata, findOrMakeSeries } from '../db/dictionaries.ts';
import type { SeriesIdentity } from '../db/dictionaries.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { seriesKey } from '../ledger/identity.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import { NephoError } from '../meters/errors.ts';
import type { JsonObject } from '../meters/json.ts';
import { MAX_METADATA_LENGTH, MAX_NOTIFICATION_BYTES } from '../meters/limits.ts';
import type { Reading } from '../meters/sample.ts';
import { BoundedCache } from './bounded_cache.ts';
import type { Understood } from './understand.ts';

/** Series, metadata and event types kept in memory, in entries. A missing one costs a query. */
const SERIES_CACHED = 200_000;
const METADATA_CACHED = 50_000;
const EVENT_TYPES_CACHED = 10_000;
/** UTF-16 units. */
const LONG_METADATA = 4_096;

/** A dictionary's entry as the cache holds it: its number is 0 until the dictionary was asked. */
export interface Known {
  id: number;
}

export interface KnownMetadata extends Known {
  /** 64 hexadecimal digits. */
  digest: string;
}

/** A notification with the entries of the dictionaries that its readings refer to. */
export interface Referred {
  understood: Understood;
  eventType: Known;
  series: Known[];
  metadata: KnownMetadata[];
}

/** What was referred to and the cache did not hold. */
interface Wanted {
  series: { known: Known; identity: SeriesIdentity }[];
  metadata: { known: KnownMetadata; body: string }[];
  eventTypes: { known: Known; name: string }[];
}

/**
 * The dictionaries' entries that notifications refer to: looked up in memory first, then all that is
 * missing by one query a dictionary. Serves one log; lives as long as a leg.
 */
export class References {
  readonly #pool: Pool;
  readonly #logId: number;
  readonly #source: string;
  readonly #series = new BoundedCache<string, Known>(SERIES_CACHED);
  readonly #metadata = new BoundedCache<string, KnownMetadata>(METADATA_CACHED);
  readonly #eventTypes = new BoundedCache<string, Known>(EVENT_TYPES_CACHED);
  #wanted: Wanted = nothingWanted();

  constructor(pool: Pool, options: { logId: number; source: string }) {
    this.#pool = pool;
    this.#logId = options.logId;
    this.#source = options.source;
  }

  /**
   * Looks up what a notification refers to. What is not known has no number before {@link learn}.
   *
   * @throws {NephoError} `too_large` for its metadata
   */
  refer(understood: Understood): Referred {
    const texts = metadataTexts(understood.readings);
    return {
      understood,
      eventType: this.#eventType(understood.eventType),
      series: understood.readings.map((reading) => this.#seriesOf(reading)),
      metadata: texts.map((body) => this.#metadataOf(body)),
    };
  }

  #eventType(name: string): Known {
    const cached = this.#eventTypes.get(name);
    if (cached !== undefined) return cached;
    const known = { id: 0 };
    this.#eventTypes.set(name, known);
    this.#wanted.eventTypes.push({ known, name });
    return known;
  }

  #seriesOf(reading: Reading): Known {
    const name = seriesName(reading);
    const cached = this.#series.get(name);
    if (cached !== undefined) return cached;
    const known = { id: 0 };
    this.#series.set(name, known);
    this.#wanted.series.push({ known, identity: this.#seriesIdentity(reading) });
    return known;
  }

  #metadataOf(body: string): KnownMetadata {
    const isLong = body.length > LONG_METADATA;
    // Long texts are known by their digest, so that the cache does not hold them.
    const name = isLong ? sha256Hex(body) : body;
    const cached = this.#metadata.get(name);
    if (cached !== undefined) return cached;
    const known = { id: 0, digest: isLong ? name : sha256Hex(body) };
    this.#metadata.set(name, known);
    this.#wanted.metadata.push({ known, body });
    return known;
  }

  /** Fills in the numbers; if that fails the leg ends, and its caches with it. */
  async learn(): Promise<void> {
    const { series, metadata, eventTypes } = this.#wanted;
    this.#wanted = nothingWanted();
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

  /** Forgets the oldest entries above the limits: between batches, whose parts rely on what they found. */
  trim(): void {
    for (const cache of [this.#series, this.#metadata, this.#eventTypes]) cache.trim();
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
}

function nothingWanted(): Wanted {
  return { series: [], metadata: [], eventTypes: [] };
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
