import type { Pool } from 'pg';
import {
  firstSamplesOf,
  type KnownLeaves,
  type ReadingRow,
  type ReadingSpan,
  samplesOfSpans,
} from '../db/window_readings.ts';

/** Beyond so many it is cheaper to go through all samples once more. */
const MAX_LOOKUPS = 100;

/**
 * The first samples after an hour, for hours that follow each other: of a series that is heard of every hour
 * none is read twice, and all that lies ahead is gone through once, not once an hour.
 */
export class LaterSamples {
  readonly #pool: Pool;
  readonly #known: KnownLeaves;
  readonly #meters: readonly string[];
  /** The first samples from {@link #from} on, of those series whose first one is known. */
  readonly #firsts = new Map<number, ReadingRow[]>();
  /** Series whose first one was before, so that the next is not known. */
  readonly #passed = new Set<number>();
  #from: bigint | null = null;
  #until = 0n;

  constructor(pool: Pool, known: KnownLeaves, meters: readonly string[]) {
    this.#pool = pool;
    this.#known = known;
    this.#meters = meters;
  }

  /**
   * The first samples of a span of the series that are not in `heard`, several of a series if they are of one
   * time.
   */
  async within({ from, to }: ReadingSpan, heard: ReadonlySet<number>): Promise<ReadingRow[]> {
    if (this.#from === null || from < this.#from) await this.#begin(from, to);
    else await this.#goOn(from, to);
    const missing = [...this.#passed].filter((id) => !heard.has(id));
    if (missing.length > MAX_LOOKUPS) await this.#begin(from, to);
    else await this.#lookUp(missing);
    return [...this.#firsts].flatMap(([id, rows]) => heard.has(id) ? [] : rows);
  }

  async #begin(from: bigint, until: bigint): Promise<void> {
    this.#firsts.clear();
    this.#passed.clear();
    for (const row of await this.#read(from, until)) this.#add(row);
    this.#from = from;
    this.#until = until;
  }

  async #goOn(from: bigint, until: bigint): Promise<void> {
    for (const [id, [first]] of this.#firsts) {
      if (first === undefined || first.at >= from) continue;
      this.#firsts.delete(id);
      this.#passed.add(id);
    }
    const known = new Set([...this.#firsts.keys(), ...this.#passed]);
    for (const row of await this.#read(this.#until, until)) {
      if (!known.has(row.series_id)) this.#add(row);
    }
    this.#from = from;
    this.#until = until;
  }

  async #read(from: bigint, to: bigint): Promise<ReadingRow[]> {
    return await firstSamplesOf(this.#pool, this.#known, { from, to, meters: this.#meters });
  }

  async #lookUp(ids: readonly number[]): Promise<void> {
    const from = this.#from ?? 0n;
    const spans = ids.map((seriesId) => ({ seriesId, from, to: this.#until }));
    for (const row of earliestOf(await samplesOfSpans(this.#pool, this.#known, spans))) {
      this.#add(row);
    }
    // Those that were not found are found when what lies ahead comes within reach.
    for (const id of ids) this.#passed.delete(id);
  }

  #add(row: ReadingRow): void {
    const rows = this.#firsts.get(row.series_id);
    if (rows === undefined) this.#firsts.set(row.series_id, [row]);
    else rows.push(row);
  }
}

/** The first ones of each series, several if they are of one time. */
export function earliestOf(samples: readonly ReadingRow[]): ReadingRow[] {
  const earliest = new Map<number, bigint>();
  for (const { series_id, at } of samples) {
    const known = earliest.get(series_id);
    if (known === undefined || at < known) earliest.set(series_id, at);
  }
  return samples.filter(({ series_id, at }) => earliest.get(series_id) === at);
}
