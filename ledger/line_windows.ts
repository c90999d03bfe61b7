import { NephoError } from '../meters/errors.ts';
import { addQuantities, formatQuantity, parseQuantity, type Quantity } from '../meters/quantity.ts';
import { type UsageQuantity, usageQuantity } from '../meters/usage_quantity.ts';
import { encodeHex } from './bytes.ts';
import { leafHash } from './merkle.ts';
import { windowsRoot } from './prove_window.ts';
import type { StatementDocument, StatementLine } from './statement_document.ts';
import { parseWindow, type WindowRecord } from './window_record.ts';

/** The records of the windows that a line of a statement sums, in the order of their root. */
export interface LineRecords {
  /** Of the document, from 0. */
  line: number;
  records: readonly string[];
}

const ZERO: Quantity = { unscaled: 0n, scale: 0 };

/**
 * Holds a line to the windows that it sums: they are the ones of its root, of its meter, project and
 * resource, none counts twice, and their figures add up to the line's.
 *
 * @throws {NephoError} `line_unknown`, `line_windows_wrong`, and the codes of `parseWindow`
 */
export function checkLineWindows(document: StatementDocument, given: LineRecords): void {
  const line = document.lines[given.line];
  if (line === undefined) {
    throw new NephoError(
      'line_unknown',
      `Cannot check the windows of line ${given.line}: the statement has ${document.lines.length}`,
    );
  }
  const fail = (reason: string) =>
    new NephoError(
      'line_windows_wrong',
      `Cannot accept the windows of line ${given.line} (${line.meter}): ${reason}`,
    );
  if (given.records.length !== line.windows.count) {
    throw fail(`the line sums ${line.windows.count}, these are ${given.records.length}`);
  }
  const root = encodeHex(windowsRoot(given.records.map(leafHash)));
  if (root !== line.windows.root) {
    throw fail(`their root is ${root}, the line's is ${line.windows.root}`);
  }
  const windows = given.records.map(parseWindow);
  const stray = windows.findIndex((window) => !belongs(window, line, document));
  if (stray >= 0) throw fail(`window ${stray} is not of this line`);
  checkOverlaps(windows, fail);
  checkSums(windows, line, fail);
}

/** What the window of a record came to. */
export function usageOfRecord({ type, sum, increase, integral }: WindowRecord): UsageQuantity {
  return usageQuantity(type, {
    sum: parseQuantity(sum),
    increase: parseQuantity(increase),
    integral: parseQuantity(integral),
  });
}

function belongs(
  window: WindowRecord,
  line: StatementLine,
  { project_id, start, end }: StatementDocument,
): boolean {
  return window.project_id === project_id && window.meter === line.meter &&
    window.type === line.type && window.unit === line.unit &&
    (line.resource_id === null || line.resource_id === window.resource_id) &&
    window.start >= start && window.end <= end;
}

/** No instant of a series counts twice. */
function checkOverlaps(windows: readonly WindowRecord[], fail: (reason: string) => Error): void {
  const bySeries = new Map<string, WindowRecord[]>();
  for (const window of windows) {
    const key = JSON.stringify([window.user_id, window.resource_id, window.source]);
    const series = bySeries.get(key);
    if (series === undefined) bySeries.set(key, [window]);
    else series.push(window);
  }
  for (const series of bySeries.values()) {
    series.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
    series.forEach((window, index) => {
      const next = series[index + 1];
      if (next !== undefined && next.start < window.end) {
        throw fail(`two are of ${next.start} and of ${window.resource_id}`);
      }
    });
  }
}

function checkSums(
  windows: readonly WindowRecord[],
  line: StatementLine,
  fail: (reason: string) => Error,
): void {
  const usage = formatQuantity(
    windows.map(usageOfRecord)
      .map(({ quantity, unitSeconds }) => unitSeconds ?? quantity).reduce(addQuantities, ZERO),
  );
  const stated = line.unit_seconds ?? line.quantity;
  if (usage !== stated) throw fail(`they add up to ${usage}, the line says ${stated}`);
  const samples = windows.reduce((count, window) => count + window.count, 0);
  if (samples !== line.samples) throw fail(`they have ${samples} samples, not ${line.samples}`);
  const covered = formatQuantity(
    windows.map((window) => parseQuantity(window.covered)).reduce(addQuantities, ZERO),
  );
  if (line.covered !== null && covered !== line.covered) {
    throw fail(`they cover ${covered} seconds, not ${line.covered}`);
  }
  const first = windows.map(({ start }) => start).reduce(earlier, null);
  const last = windows.map(({ end }) => end).reduce(later, null);
  if (first !== line.windows.first || last !== line.windows.last) {
    throw fail(
      `they are from ${first} to ${last}, not from ${line.windows.first} to ${line.windows.last}`,
    );
  }
}

function earlier(first: string | null, start: string): string {
  return first === null || start < first ? start : first;
}

function later(last: string | null, end: string): string {
  return last === null || end > last ? end : last;
}
