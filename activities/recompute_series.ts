import type { Pool } from 'pg';
import {
  carryOf,
  columnsOf,
  figuresOf,
  WINDOW_COLUMNS,
  type WindowColumns,
} from '../db/window_columns.ts';
import { type KnownLeaves, ReadingMaker, samplesOfSpans } from '../db/window_readings.ts';
import { isRetrospective, SeriesCatalogue, type WindowSeries } from '../db/window_series.ts';
import { carriesBefore, nextWindows, type WindowRow, windowsInForce } from '../db/windows.ts';
import { compareQuantities } from '../meters/quantity.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { carryAfter, EMPTY_FIGURES } from '../meters/window_figures.ts';
import type { ComputedWindow } from '../meters/window_compute.ts';
import type { Carry } from '../meters/window_reading.ts';
import { windowsOf } from './compute_hour.ts';

/** Hours of a series that may have changed, half-open, in microseconds since 1970. */
export interface ChangedHours {
  seriesId: number;
  from: bigint;
  to: bigint;
}

/** A window that is not as its row in force says. */
export interface WindowDifference {
  series: WindowSeries;
  start: string;
  /** Of the new version. */
  revision: number;
  /** The row in force, null if there is none. */
  before: WindowRow | null;
  after: WindowColumns;
}

/** Hours that a series is followed through, before all that is sealed is computed at once. */
const PATIENT_ROUNDS = 3;

/**
 * Computes the windows of series again, as of a size, and tells those that differ from the rows in force.
 *
 * A window depends on what is in it, on the reading before it, and on the first reading after it. So once a
 * series goes on at the end of its hours as it did before, all that follows is as it was; until then it is
 * followed further.
 */
export class SeriesRecomputer {
  readonly #pool: Pool;
  readonly #known: KnownLeaves;
  readonly #sealedUntil: bigint;
  readonly catalogue: SeriesCatalogue;
  readonly maker: ReadingMaker;

  constructor(
    pool: Pool,
    rules: UsageRules,
    { known, sealedUntil }: { known: KnownLeaves; sealedUntil: string },
  ) {
    this.#pool = pool;
    this.#known = known;
    this.#sealedUntil = toMicros(sealedUntil);
    this.catalogue = new SeriesCatalogue(rules);
    this.maker = new ReadingMaker(this.catalogue);
  }

  /** By no order. `changed` has a series once at most. */
  async differences(changed: readonly ChangedHours[]): Promise<WindowDifference[]> {
    const differences: WindowDifference[] = [];
    let open = changed;
    for (let round = 1; open.length > 0; round += 1) {
      const outcomes = await this.#recompute(open);
      const further = outcomes.filter(({ hours, goesOnAsBefore }) =>
        !goesOnAsBefore && hours.to < this.#sealedUntil
      ).map(({ hours }) => hours);
      const next = await this.#followed(further, round);
      const followed = new Set(next.map(({ seriesId }) => seriesId));
      for (const outcome of outcomes) {
        if (!followed.has(outcome.hours.seriesId)) differences.push(...outcome.differences);
      }
      open = next;
    }
    return differences;
  }

  /** The hours up to and with the next window that may differ; without those of which there is none. */
  async #followed(further: readonly ChangedHours[], round: number): Promise<ChangedHours[]> {
    const next = await nextWindows(
      this.#pool,
      further.map(({ seriesId, to }) => ({ seriesId, from: formatMicros(to) })),
    );
    return further.flatMap((hours, index) => {
      const start = next[index] ?? null;
      // A sample after the sealed hours may tell of hours that have no window yet.
      const isLast = start === null || round >= PATIENT_ROUNDS;
      if (start === null && !isRetrospective(this.catalogue.get(hours.seriesId).rule)) return [];
      return [{ ...hours, to: isLast ? this.#sealedUntil : toMicros(start) + HOUR_MICROS }];
    });
  }

  async #recompute(open: readonly ChangedHours[]): Promise<Outcome[]> {
    await this.catalogue.load(this.#pool, open.map(({ seriesId }) => seriesId));
    const samples = await samplesOfSpans(
      this.#pool,
      this.#known,
      open.map(({ seriesId, from, to }) => {
        const { rule } = this.catalogue.get(seriesId);
        // With the first sample after the hours: that of their very end, or one that tells of them.
        return {
          seriesId,
          from,
          to: to + 1n + (isRetrospective(rule) ? rule.stalenessMicros : 0n),
        };
      }),
    );
    const readings = await this.maker.make(this.#pool, samples);
    const spans = open.map(({ seriesId, from, to }) => ({
      seriesId,
      from: formatMicros(from),
      to: formatMicros(to),
    }));
    const carries = await carriesBefore(
      this.#pool,
      spans.map(({ seriesId, from }) => ({ seriesId, before: from })),
    );
    const rows = rowsBySeries(await windowsInForce(this.#pool, spans));
    return open.map((hours, index) => {
      const series = this.catalogue.get(hours.seriesId);
      const carry = carries[index] ?? null;
      const computed = windowsOf(series, readings.get(hours.seriesId) ?? [], { ...hours, carry });
      const inForce = rows.get(hours.seriesId) ?? [];
      const last = computed.at(-1);
      const goesOn = last === undefined ? carry : carryAfter(last.figures, last.carry);
      return {
        hours,
        goesOnAsBefore: sameCarry(goesOn, carryOfRows(inForce, carry)),
        differences: differencesOf(series, computed, inForce),
      };
    });
  }
}

interface Outcome {
  hours: ChangedHours;
  /** What comes after the hours is then as it was, too. */
  goesOnAsBefore: boolean;
  differences: WindowDifference[];
}

function rowsBySeries(rows: readonly WindowRow[]): Map<number, WindowRow[]> {
  const bySeries = new Map<number, WindowRow[]>();
  for (const row of rows) {
    const list = bySeries.get(row.series_id);
    if (list === undefined) bySeries.set(row.series_id, [row]);
    else list.push(row);
  }
  return bySeries;
}

/** What the rows carry on, by `carry` before them. */
function carryOfRows(rows: readonly WindowRow[], carry: Carry | null): Carry | null {
  const last = rows.findLast((row) => !isEmpty(row));
  return last === undefined ? carry : carryAfter(figuresOf(last), carryOf(last));
}

function sameCarry(left: Carry | null, right: Carry | null): boolean {
  if (left === null || right === null) return left === right;
  return left.at === right.at && left.ended === right.ended &&
    compareQuantities(left.volume, right.volume) === 0;
}

function differencesOf(
  series: WindowSeries,
  computed: readonly ComputedWindow[],
  inForce: readonly WindowRow[],
): WindowDifference[] {
  const rows = new Map(inForce.map((row) => [row.start, row]));
  const differences: WindowDifference[] = [];
  for (const { start, figures, carry } of computed) {
    const name = formatMicros(start);
    const before = rows.get(name) ?? null;
    const after = columnsOf(figures, carry);
    rows.delete(name);
    if (before !== null && WINDOW_COLUMNS.every((column) => before[column] === after[column])) {
      continue;
    }
    differences.push(differenceOf(series, { start: name, before, after }));
  }
  // What is left has nothing in it any more.
  for (const [start, before] of rows) {
    if (!isEmpty(before)) differences.push(differenceOf(series, { start, before, after: EMPTY }));
  }
  return differences;
}

function differenceOf(
  series: WindowSeries,
  { start, before, after }: Pick<WindowDifference, 'start' | 'before' | 'after'>,
): WindowDifference {
  return { series, start, revision: (before?.revision ?? 0) + 1, before, after };
}

const EMPTY = columnsOf(EMPTY_FIGURES, null);

/** A revision left nothing of it. */
function isEmpty({ count, covered }: WindowColumns): boolean {
  return count === 0 && covered === '0';
}
