import type { WindowColumns } from '../db/window_columns.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { leafHash } from '../ledger/merkle.ts';
import type { StatementLine } from '../ledger/statement_document.ts';
import { appendLeaves, EMPTY_TREE, rootOf, type TreeState } from '../ledger/tree.ts';
import { encodeWindow, type WindowRecord } from '../ledger/window_record.ts';
import type { LineGroup } from '../meters/billing_config.ts';
import { addQuantities, formatQuantity, parseQuantity, type Quantity } from '../meters/quantity.ts';
import type { MeterType } from '../meters/sample.ts';
import { unitHours, usageUnit } from '../meters/usage_quantity.ts';

/** What a line is about. */
export interface LineSubject {
  meter: string;
  type: MeterType;
  unit: string;
  /** Null of a line that sums several resources. */
  resource_id: string | null;
}

/** What is to be known of a line's figures. */
export type LineFlag =
  | 'cut_hours' // the period begins or ends within an hour, whose part was computed from samples
  | 'expired' // a value ran out: nothing was heard, and nobody said that the thing had ended
  | 'resets' // a counter began again
  | 'resources_grouped' // there are too many resources for a line each
  | 'steps_back' // a counter went back a little, which counts nothing
  | 'types_differ' // the meter comes in several types, each of them lines of its own
  | 'units_differ'; // likewise units

/** A window, or a part of one, as it counts for a line. */
export type LineWindow = Pick<
  WindowColumns,
  'count' | 'sum' | 'increase' | 'integral' | 'covered' | 'resets' | 'steps_back' | 'expired'
>;

const ZERO: Quantity = { unscaled: 0n, scale: 0 };

/** Sums windows up to a line. Give them by series key, those of a series by their start. */
export class LineBuilder {
  readonly #subject: LineSubject;
  readonly #flags: Set<LineFlag>;
  #tree: TreeState = EMPTY_TREE;
  #usage = ZERO;
  #covered = ZERO;
  #samples = 0;
  #first: string | null = null;
  #last: string | null = null;

  constructor(subject: LineSubject, flags: readonly LineFlag[] = []) {
    this.#subject = subject;
    this.#flags = new Set(flags);
  }

  add(records: readonly WindowRecord[], flags: readonly LineFlag[] = []): void {
    for (const flag of flags) this.#flags.add(flag);
    for (const record of records) this.#count(record);
    const leaves = records.map((record) => leafHash(encodeWindow(record)));
    this.#tree = appendLeaves(this.#tree, leaves).state;
  }

  /** The line, without what it differs by. */
  build(): StatementLine {
    const { meter, type, unit, resource_id } = this.#subject;
    const isGauge = type === 'gauge';
    return {
      meter,
      type,
      unit,
      resource_id,
      group: null,
      usage_unit: usageUnit(type, unit),
      quantity: formatQuantity(isGauge ? unitHours(this.#usage) : this.#usage),
      unit_seconds: isGauge ? formatQuantity(this.#usage) : null,
      samples: this.#samples,
      covered: isGauge ? formatQuantity(this.#covered) : null,
      windows: {
        count: this.#tree.size,
        root: encodeHex(rootOf(this.#tree)),
        first: this.#first,
        last: this.#last,
      },
      flags: [...this.#flags].sort(),
      difference: null,
    };
  }

  #count(window: WindowRecord): void {
    const { type } = this.#subject;
    const figure = type === 'delta'
      ? window.sum
      : type === 'cumulative'
      ? window.increase
      : window.integral;
    this.#usage = addQuantities(this.#usage, parseQuantity(figure));
    if (type === 'gauge') {
      this.#covered = addQuantities(this.#covered, parseQuantity(window.covered));
    }
    this.#samples += window.count;
    if (this.#first === null || window.start < this.#first) this.#first = window.start;
    if (this.#last === null || window.end > this.#last) this.#last = window.end;
    if (window.expired) this.#flags.add('expired');
    if (window.resets > 0) this.#flags.add('resets');
    if (window.steps_back > 0) this.#flags.add('steps_back');
  }
}

/** The series that one line sums, by key. */
export interface LineSeries<Series> {
  subject: LineSubject;
  flags: LineFlag[];
  series: Series[];
}

interface Metered extends Omit<LineSubject, 'resource_id'> {
  resource_id: string;
}

/** Lines at most that name a resource each, before the resources of a statement are grouped. */
export const MAX_RESOURCE_LINES = 50_000;

/**
 * Parts series by what their lines are about.
 *
 * @param series by key
 * @param group what the statement's lines are about; by meter also where there are too many resources
 */
export function linesOfSeries<Series extends Metered>(
  series: readonly Series[],
  group: LineGroup,
): LineSeries<Series>[] {
  const bySubject = group === 'resource' ? partsOf(series, (one) => one.resource_id) : null;
  const isGrouped = bySubject !== null && bySubject.length > MAX_RESOURCE_LINES;
  const lines = bySubject === null || isGrouped ? partsOf(series, () => null) : bySubject;
  const types = valuesByMeter(series, 'type');
  const units = valuesByMeter(series, 'unit');
  for (const { subject: { meter }, flags } of lines) {
    if (isGrouped) flags.push('resources_grouped');
    if ((types.get(meter)?.size ?? 0) > 1) flags.push('types_differ');
    if ((units.get(meter)?.size ?? 0) > 1) flags.push('units_differ');
  }
  return lines;
}

function partsOf<Series extends Metered>(
  series: readonly Series[],
  resourceOf: (one: Series) => string | null,
): LineSeries<Series>[] {
  const lines = new Map<string, LineSeries<Series>>();
  for (const one of series) {
    const { meter, type, unit } = one;
    const subject = { meter, type, unit, resource_id: resourceOf(one) };
    const key = JSON.stringify([meter, type, unit, subject.resource_id]);
    const line = lines.get(key);
    if (line === undefined) lines.set(key, { subject, flags: [], series: [one] });
    else line.series.push(one);
  }
  return [...lines.values()];
}

function valuesByMeter(
  series: readonly Metered[],
  field: 'type' | 'unit',
): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>();
  for (const one of series) {
    const known = values.get(one.meter);
    if (known === undefined) values.set(one.meter, new Set([one[field]]));
    else known.add(one[field]);
  }
  return values;
}
