import type { Pool } from 'pg';
import { type Carries, carriesBefore, carriesWithin } from '../db/windows.ts';
import { columnsOf, type WindowColumns, windowRecord } from '../db/window_columns.ts';
import {
  type KnownLeaves,
  ReadingMaker,
  type ReadingRow,
  type ReadingsBySeries,
  samplesOf,
} from '../db/window_readings.ts';
import {
  isRetrospective,
  longestStaleness,
  SeriesCatalogue,
  type WindowSeries,
} from '../db/window_series.ts';
import { leafHash } from '../ledger/merkle.ts';
import { appendLeaves, EMPTY_TREE, rootOf } from '../ledger/tree.ts';
import { encodeWindow } from '../ledger/window_record.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { type ComputedWindow, computeWindows } from '../meters/window_compute.ts';
import type { Carry, WindowReading } from '../meters/window_reading.ts';
import { earliestOf, LaterSamples } from './later_samples.ts';

/** A window of a series in one hour. */
export interface HourWindow {
  series: WindowSeries;
  columns: WindowColumns;
}

/** An hour as it is to be sealed. */
export interface ComputedHour {
  start: string;
  /** By series key. */
  windows: HourWindow[];
  /** RFC 6962 root over their records. */
  root: Uint8Array;
  /** Places of the samples in the hour. */
  positions: number[];
}

/**
 * Computes the windows of the hours of a log as of a size: of each series that has readings in the hour,
 * whose value held into it, or whose next reading tells of it. What went before comes from the windows
 * before, so that an hour costs what is in it and no more.
 */
export class HourComputer {
  readonly #pool: Pool;
  readonly #catalogue: SeriesCatalogue;
  readonly #maker: ReadingMaker;
  readonly #known: KnownLeaves;
  readonly #reach: bigint;
  #later: LaterSamples | null = null;
  /** The samples of the hour that comes next, which are read ahead. */
  #ahead: { from: bigint; samples: ReadingRow[] } | null = null;

  /** @param known the leaves that all hours are computed as of */
  constructor(pool: Pool, rules: UsageRules, known: KnownLeaves) {
    this.#pool = pool;
    this.#known = known;
    this.#catalogue = new SeriesCatalogue(rules);
    this.#maker = new ReadingMaker(this.#catalogue);
    this.#reach = longestStaleness(rules);
  }

  /**
   * @param options `isContinued`: the hour before was sealed by the same rules, so that whatever holds into
   *   this hour has a window in that one; `isLast`: the next hour is not asked for
   */
  async compute(
    start: string,
    { isContinued, isLast }: { isContinued: boolean; isLast: boolean },
  ): Promise<ComputedHour> {
    const from = toMicros(start);
    const to = from + HOUR_MICROS;
    const samples = await this.#samplesOf(from);
    const carries = await carriesWithin(this.#pool, this.#known.logId, {
      from: formatMicros(isContinued ? from - HOUR_MICROS : from - this.#reach - HOUR_MICROS),
      to: start,
    });
    const all = [...samples, ...await this.#after(to, isLast)];
    await this.#catalogue.load(this.#pool, idsOf(all, carries));
    await this.#addCarries(carries, all, start);
    const readings = await this.#maker.make(this.#pool, all);
    const windows = this.#windows(readings, carries, { from, to });
    return {
      start,
      windows,
      root: rootOfWindows(start, windows),
      positions: samples.map(({ position }) => position),
    };
  }

  async #samplesOf(from: bigint): Promise<ReadingRow[]> {
    if (this.#ahead?.from === from) return this.#ahead.samples;
    return await samplesOf(this.#pool, this.#known, { from, to: from + HOUR_MICROS });
  }

  /**
   * What after the hour concerns it: samples of its very end, which say that the value before did not run out,
   * and the first sample of what may tell of the time before it.
   */
  async #after(to: bigint, isLast: boolean): Promise<ReadingRow[]> {
    this.#later ??= new LaterSamples(
      this.#pool,
      this.#known,
      await this.#catalogue.retrospectiveMeters(this.#pool),
    );
    const end = to + this.#reach + 1n;
    if (isLast) {
      const atEnd = await samplesOf(this.#pool, this.#known, { from: to, to: to + 1n });
      return [...atEnd, ...await this.#later.within({ from: to + 1n, to: end }, new Set())];
    }
    const next = await this.#samplesOf(to);
    this.#ahead = { from: to, samples: next };
    await this.#catalogue.load(this.#pool, new Set(next.map(({ series_id }) => series_id)));
    const told = next.filter(({ at, series_id }) =>
      at > to && isRetrospective(this.#catalogue.get(series_id).rule)
    );
    const heard = new Set(told.map(({ series_id }) => series_id));
    return [
      ...next.filter(({ at }) => at === to),
      ...earliestOf(told),
      ...await this.#later.within({ from: to + HOUR_MICROS, to: end }, heard),
    ];
  }

  /** Of the series that have no window in the hour before. */
  async #addCarries(
    carries: Carries,
    samples: readonly ReadingRow[],
    start: string,
  ): Promise<void> {
    const missing = new Set(samples.map(({ series_id }) => series_id));
    for (const id of carries.keys()) missing.delete(id);
    const wanted = [...missing].map((seriesId) => ({ seriesId, before: start }));
    const found = await carriesBefore(this.#pool, wanted);
    wanted.forEach(({ seriesId }, index) => {
      const carry = found[index] ?? null;
      if (carry !== null) carries.set(seriesId, carry);
    });
  }

  #windows(
    readings: ReadingsBySeries,
    carries: Carries,
    span: { from: bigint; to: bigint },
  ): HourWindow[] {
    const windows: HourWindow[] = [];
    for (const id of new Set([...readings.keys(), ...carries.keys()])) {
      const series = this.#catalogue.get(id);
      const carry = carries.get(id) ?? null;
      const [window] = windowsOf(series, readings.get(id) ?? [], { ...span, carry });
      if (window === undefined) continue;
      windows.push({ series, columns: columnsOf(window.figures, window.carry) });
    }
    return windows.sort((a, b) => a.series.key < b.series.key ? -1 : 1);
  }
}

/** The windows of a series in whole hours. */
export function windowsOf(
  { type, rule }: WindowSeries,
  readings: readonly WindowReading[],
  { from, to, carry }: { from: bigint; to: bigint; carry: Carry | null },
): ComputedWindow[] {
  const { stalenessMicros } = rule;
  if (readings.length === 0) {
    // Most of the series of former hours, in a log whose things come and go.
    const holds = type === 'gauge' && carry !== null && !carry.ended &&
      carry.at + stalenessMicros > from;
    if (!holds) return [];
  }
  return computeWindows(readings, {
    type,
    from,
    to,
    every: HOUR_MICROS,
    stalenessMicros,
    carry,
  });
}

function rootOfWindows(start: string, windows: readonly HourWindow[]): Uint8Array {
  const leaves = windows.map(({ series, columns }) =>
    leafHash(encodeWindow(windowRecord(series, { start, revision: 0 }, columns)))
  );
  return rootOf(appendLeaves(EMPTY_TREE, leaves).state);
}

function idsOf(samples: readonly ReadingRow[], carries: Carries): Set<number> {
  const ids = new Set(samples.map(({ series_id }) => series_id));
  for (const id of carries.keys()) ids.add(id);
  return ids;
}
