/** A window between its three forms: figures that are computed with, columns of the database, the record. */
import type { WindowRecord } from '../ledger/window_record.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../meters/quantity.ts';
import type { MeterType } from '../meters/sample.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { WindowFigures } from '../meters/window_figures.ts';
import type { Carry, TimedVolume } from '../meters/window_reading.ts';

/** The figures as columns: canonical decimals and timestamps, `covered` in seconds. */
export interface FigureColumns {
  count: number;
  sum: string;
  sum_squares: string;
  min: string | null;
  max: string | null;
  first_at: string | null;
  first_volume: string | null;
  last_at: string | null;
  last_volume: string | null;
  increase: string;
  resets: number;
  steps_back: number;
  integral: string;
  covered: string;
  expired: boolean;
  ended: boolean;
}

export interface WindowColumns extends FigureColumns {
  carry_at: string | null;
  carry_volume: string | null;
  carry_ended: boolean | null;
}

/** What a record says of its series. */
export interface SeriesFields {
  /** 32 hexadecimal digits. */
  key: string;
  meter: string;
  type: MeterType;
  unit: string;
  project_id: string | null;
  user_id: string | null;
  resource_id: string;
  source: string;
}

export const FIGURE_COLUMNS = [
  'count',
  'sum',
  'sum_squares',
  'min',
  'max',
  'first_at',
  'first_volume',
  'last_at',
  'last_volume',
  'increase',
  'resets',
  'steps_back',
  'integral',
  'covered',
  'expired',
  'ended',
] as const satisfies readonly (keyof FigureColumns)[];

export const WINDOW_COLUMNS = [
  ...FIGURE_COLUMNS,
  'carry_at',
  'carry_volume',
  'carry_ended',
] as const satisfies readonly (keyof WindowColumns)[];

export function columnsOf(figures: WindowFigures, carry: Carry | null): WindowColumns {
  return {
    count: figures.count,
    sum: formatQuantity(figures.sum),
    sum_squares: formatQuantity(figures.sumSquares),
    min: quantityText(figures.min),
    max: quantityText(figures.max),
    first_at: timeText(figures.first),
    first_volume: quantityText(figures.first?.volume ?? null),
    last_at: timeText(figures.last),
    last_volume: quantityText(figures.last?.volume ?? null),
    increase: formatQuantity(figures.increase),
    resets: figures.resets,
    steps_back: figures.stepsBack,
    integral: formatQuantity(figures.integral),
    covered: secondsText(figures.coveredMicros),
    expired: figures.expired,
    ended: figures.ended,
    carry_at: timeText(carry),
    carry_volume: quantityText(carry?.volume ?? null),
    carry_ended: carry?.ended ?? null,
  };
}

export function figuresOf(columns: FigureColumns): WindowFigures {
  return {
    count: columns.count,
    sum: parseQuantity(columns.sum),
    sumSquares: parseQuantity(columns.sum_squares),
    min: quantityOf(columns.min),
    max: quantityOf(columns.max),
    first: timedOf(columns.first_at, columns.first_volume),
    last: timedOf(columns.last_at, columns.last_volume),
    increase: parseQuantity(columns.increase),
    resets: columns.resets,
    stepsBack: columns.steps_back,
    integral: parseQuantity(columns.integral),
    coveredMicros: microsOf(columns.covered),
    expired: columns.expired,
    ended: columns.ended,
  };
}

export function carryOf(columns: WindowColumns): Carry | null {
  const timed = timedOf(columns.carry_at, columns.carry_volume);
  return timed === null ? null : { ...timed, ended: columns.carry_ended ?? false };
}

/** The record whose leaf hash a seal or a revision vouches for. `start` is the first instant of its hour. */
export function windowRecord(
  series: SeriesFields,
  { start, revision }: { start: string; revision: number },
  columns: WindowColumns,
): WindowRecord {
  return {
    kind: 'window',
    v: 1,
    meter: series.meter,
    type: series.type,
    unit: series.unit,
    project_id: series.project_id,
    user_id: series.user_id,
    resource_id: series.resource_id,
    source: series.source,
    start,
    end: hourAfter(start),
    revision,
    count: columns.count,
    sum: columns.sum,
    sum_squares: columns.sum_squares,
    min: columns.min,
    max: columns.max,
    first: timedRecord(columns.first_at, columns.first_volume),
    last: timedRecord(columns.last_at, columns.last_volume),
    carry: carryRecord(columns),
    increase: columns.increase,
    resets: columns.resets,
    steps_back: columns.steps_back,
    integral: columns.integral,
    covered: columns.covered,
    expired: columns.expired,
    ended: columns.ended,
  };
}

/** The hour that a time lies in: its first instant, in microseconds. */
export function hourOf(micros: bigint): bigint {
  const rest = micros % HOUR_MICROS;
  return micros - (rest < 0n ? rest + HOUR_MICROS : rest);
}

let [lastStart, lastEnd] = ['', ''];

/** The end of the hour that begins then. Thousands of windows in a row have the same start. */
export function hourAfter(start: string): string {
  if (start !== lastStart) {
    [lastStart, lastEnd] = [start, formatMicros(toMicros(start) + HOUR_MICROS)];
  }
  return lastEnd;
}

function carryRecord(
  { carry_at, carry_volume, carry_ended }: WindowColumns,
): WindowRecord['carry'] {
  const timed = timedRecord(carry_at, carry_volume);
  return timed === null ? null : { ...timed, ended: carry_ended ?? false };
}

function timedRecord(at: string | null, volume: string | null) {
  return at === null || volume === null ? null : { at, volume };
}

function timedOf(at: string | null, volume: string | null): TimedVolume | null {
  return at === null || volume === null
    ? null
    : { at: toMicros(at), volume: parseQuantity(volume) };
}

function quantityOf(text: string | null): Quantity | null {
  return text === null ? null : parseQuantity(text);
}

function quantityText(quantity: Quantity | null): string | null {
  return quantity === null ? null : formatQuantity(quantity);
}

function timeText(timed: TimedVolume | null): string | null {
  return timed === null ? null : formatMicros(timed.at);
}

function secondsText(micros: bigint): string {
  return formatQuantity(parseQuantity(`${micros}e-6`));
}

function microsOf(seconds: string): bigint {
  const { unscaled, scale } = parseQuantity(seconds);
  return unscaled * 10n ** BigInt(6 - scale);
}
