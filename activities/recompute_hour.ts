/** The windows of an hour once more, from samples alone: nothing of what sealing kept is used. */
import type { Pool } from 'pg';
import { columnsOf, type WindowColumns } from '../db/window_columns.ts';
import {
  type KnownLeaves,
  ReadingMaker,
  type ReadingRow,
  type ReadingsBySeries,
  samplesOf,
  samplesOfSpans,
} from '../db/window_readings.ts';
import { longestStaleness, SeriesCatalogue, type WindowSeries } from '../db/window_series.ts';
import { DAY_MICROS, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { computeWindows } from '../meters/window_compute.ts';
import type { Carry, WindowReading } from '../meters/window_reading.ts';

/** A window as its samples make it; null columns if they make none. */
export interface RecomputedWindow {
  series: WindowSeries;
  columns: WindowColumns | null;
}

/** How far back a series is looked for that has nothing near the hour, in days; 0: everything. */
const LOOKS_BACK_DAYS = [8, 64, 0] as const;

export class HourRecomputer {
  readonly #pool: Pool;
  readonly #known: KnownLeaves;
  readonly #catalogue: SeriesCatalogue;
  readonly #maker: ReadingMaker;
  readonly #reach: bigint;

  constructor(pool: Pool, known: KnownLeaves, rules: UsageRules) {
    this.#pool = pool;
    this.#known = known;
    this.#catalogue = new SeriesCatalogue(rules);
    this.#maker = new ReadingMaker(this.#catalogue);
    this.#reach = longestStaleness(rules);
  }

  /**
   * The windows of all series of the log that have samples near enough, and of `expected` in any case.
   *
   * @param expected numbers of series
   */
  async windows(
    start: string,
    expected: readonly number[],
  ): Promise<Map<number, RecomputedWindow>> {
    const from = toMicros(start);
    const to = from + HOUR_MICROS;
    const near = await samplesOf(this.#pool, this.#known, {
      from: from - this.#reach,
      to: to + this.#reach + 1n,
    });
    const ids = new Set([...near.map(({ series_id }) => series_id), ...expected]);
    const earlier = await this.#before(ids, near, from);
    return await this.#compute([...near, ...earlier], ids, { from, to });
  }

  /** One series by all its samples, or going on from `carry`. */
  async window(
    start: string,
    seriesId: number,
    carry: Carry | null = null,
  ): Promise<RecomputedWindow> {
    const from = toMicros(start);
    const to = from + HOUR_MICROS;
    const samples = await samplesOfSpans(this.#pool, this.#known, [
      { seriesId, from: carry?.at ?? 0n, to: to + this.#reach + 1n },
    ]);
    const windows = await this.#compute(samples, new Set([seriesId]), { from, to }, carry);
    const [window] = windows.values();
    return window ?? { series: this.#catalogue.get(seriesId), columns: null };
  }

  /** Readings before the hour of the series that have none near it: the last of them counts. */
  async #before(
    ids: ReadonlySet<number>,
    near: readonly ReadingRow[],
    from: bigint,
  ): Promise<ReadingRow[]> {
    const missing = new Set(ids);
    for (const { series_id, at } of near) if (at < from) missing.delete(series_id);
    const found: ReadingRow[] = [];
    let to = from - this.#reach;
    for (const days of LOOKS_BACK_DAYS) {
      if (missing.size === 0) break;
      const since = days === 0 ? 0n : from - BigInt(days) * DAY_MICROS;
      if (since >= to) continue;
      const spans = [...missing].map((seriesId) => ({ seriesId, from: since, to }));
      const samples = await samplesOfSpans(this.#pool, this.#known, spans);
      for (const { series_id } of samples) missing.delete(series_id);
      found.push(...samples);
      to = since;
    }
    return found;
  }

  async #compute(
    samples: readonly ReadingRow[],
    ids: ReadonlySet<number>,
    span: { from: bigint; to: bigint },
    carry: Carry | null = null,
  ): Promise<Map<number, RecomputedWindow>> {
    await this.#catalogue.load(this.#pool, ids);
    const readings: ReadingsBySeries = await this.#maker.make(this.#pool, samples);
    const windows = new Map<number, RecomputedWindow>();
    for (const id of ids) {
      const series = this.#catalogue.get(id);
      const columns = columnsIn(series, readings.get(id) ?? [], { ...span, carry });
      windows.set(id, { series, columns });
    }
    return windows;
  }
}

function columnsIn(
  { type, rule }: WindowSeries,
  readings: readonly WindowReading[],
  { from, to, carry }: { from: bigint; to: bigint; carry: Carry | null },
): WindowColumns | null {
  const [window] = computeWindows(readings, {
    type,
    from,
    to,
    every: to - from,
    stalenessMicros: rule.stalenessMicros,
    carry,
  });
  return window === undefined ? null : columnsOf(window.figures, window.carry);
}
