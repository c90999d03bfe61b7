/** The window records of a period: whole hours as they were sealed, cut ones computed from samples. */
import { type LogSizes, resolveAsOf } from './as_of.ts';
import type { Queryable } from './client.ts';
import {
  type ProjectSeries,
  seriesWithWindows,
  type StatementWindow,
  windowsKnownAt,
} from './statement_windows.ts';
import { carryOf, columnsOf, hourOf, windowRecord } from './window_columns.ts';
import { firstSamplesOf, ReadingMaker, samplesOfSpans } from './window_readings.ts';
import { SeriesCatalogue } from './window_series.ts';
import type { StatementDocument } from '../ledger/statement_document.ts';
import type { WindowRecord } from '../ledger/window_record.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { ruleOf, type UsageRules } from '../meters/usage_rules.ts';
import { computeWindows } from '../meters/window_compute.ts';

/** A period, as known at sizes of the logs. Canonical timestamps. */
export interface KnownPeriod {
  start: string;
  end: string;
  sizes: LogSizes;
}

/** A window of a series, whole or in part. */
export interface PeriodWindow {
  series: ProjectSeries;
  record: WindowRecord;
  isCut: boolean;
}

/** The hours that a period touches. */
export function hoursOf(
  { start, end }: Pick<KnownPeriod, 'start' | 'end'>,
): { from: string; to: string } {
  return {
    from: formatMicros(hourOf(toMicros(start))),
    to: formatMicros(hourOf(toMicros(end) + HOUR_MICROS - 1n)),
  };
}

/** Reads the windows of some series in a period, in the order of the series and by start. */
export class PeriodWindows {
  readonly #db: Queryable;
  readonly #rules: UsageRules;
  readonly #period: KnownPeriod;
  readonly #catalogue: SeriesCatalogue;
  readonly #maker: ReadingMaker;

  constructor(parts: { db: Queryable; rules: UsageRules }, period: KnownPeriod) {
    this.#db = parts.db;
    this.#rules = parts.rules;
    this.#period = period;
    this.#catalogue = new SeriesCatalogue(parts.rules);
    this.#maker = new ReadingMaker(this.#catalogue);
  }

  async read(series: readonly ProjectSeries[]): Promise<PeriodWindow[]> {
    const { start, end, sizes } = this.#period;
    const rows = await windowsKnownAt(this.#db, series, { ...hoursOf(this.#period), sizes });
    const bySeries = new Map(
      series.map((one) => [one.series_id, { one, rows: [] as StatementWindow[] }]),
    );
    for (const row of rows) bySeries.get(row.series_id)?.rows.push(row);
    const windows: PeriodWindow[] = [];
    for (const { one, rows } of bySeries.values()) {
      for (const row of rows) {
        const record = windowRecord(one, row, row);
        const isCut = record.start < start || record.end > end;
        if (!isCut) windows.push({ series: one, record, isCut });
        else windows.push(...await this.#cut(one, row));
      }
    }
    return windows;
  }

  /** The part of an hour that is in the period, from the samples of the hour and what the window goes on from. */
  async #cut(series: ProjectSeries, row: StatementWindow): Promise<PeriodWindow[]> {
    const hour = toMicros(row.start);
    const from = bigger(hour, toMicros(this.#period.start));
    const to = smaller(hour + HOUR_MICROS, toMicros(this.#period.end));
    const known = this.#period.sizes.find(({ logId }) => logId === series.log_id);
    if (known === undefined) return [];
    const rule = ruleOf(this.#rules, series.meter);
    const span = { seriesId: series.series_id, from: hour, to: hour + HOUR_MICROS + 1n };
    const samples = await samplesOfSpans(this.#db, known, [span]);
    if (rule.sinceKey !== null || rule.untilKey !== null) {
      samples.push(
        ...await firstSamplesOf(this.#db, known, {
          from: span.to,
          to: span.to + rule.stalenessMicros,
          meters: [series.meter],
          seriesIds: [series.series_id],
        }),
      );
    }
    await this.#catalogue.load(this.#db, [series.series_id]);
    const readings = (await this.#maker.make(this.#db, samples)).get(series.series_id) ?? [];
    return computeWindows(readings, {
      type: series.type,
      from,
      to,
      every: HOUR_MICROS,
      stalenessMicros: rule.stalenessMicros,
      carry: carryOf(row),
    }).map(({ start, end, figures, carry }) => ({
      series,
      record: {
        ...windowRecord(
          series,
          { start: formatMicros(start), revision: 0 },
          columnsOf(figures, carry),
        ),
        end: formatMicros(end),
      },
      isCut: true,
    }));
  }
}

function bigger(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}

function smaller(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

/** Where a page of a line's windows ends: the series by its key, and the start of its last window. */
export interface LinePosition {
  key: string;
  start: string;
}

/** Series that one page looks at: with all hours of a month, some 20,000 windows. */
const SERIES_OF_A_PAGE = 25;

/**
 * The windows that a line of a statement sums, in the order of its root, as they were known to it.
 *
 * @param page `after`: where the former page ended
 * @returns null if the statement has no such line; fewer windows than `limit` only if there are no more
 */
export async function lineWindowsOf(
  parts: { db: Queryable; rules: UsageRules },
  { document, line }: { document: StatementDocument; line: number },
  page: { limit: number; after: LinePosition | null },
): Promise<PeriodWindow[] | null> {
  const subject = document.lines[line];
  if (subject === undefined) return null;
  const { limit, after } = page;
  const sizes = await resolveAsOf(parts.db, { checkpoints: document.covers });
  const hours = hoursOf(document);
  const all = await seriesWithWindows(parts.db, document.project_id, { ...hours, of: subject });
  const series = all.filter(({ key }) => after === null || key >= after.key);
  const reader = new PeriodWindows(parts, { ...document, sizes });
  const windows: PeriodWindow[] = [];
  for (let from = 0; from < series.length && windows.length < limit; from += SERIES_OF_A_PAGE) {
    const read = await reader.read(series.slice(from, from + SERIES_OF_A_PAGE));
    windows.push(
      ...read.filter(({ series: { key }, record }) =>
        after === null || key !== after.key || record.start > after.start
      ),
    );
  }
  return windows.slice(0, limit);
}
