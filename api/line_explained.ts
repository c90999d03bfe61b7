import { z } from 'zod';
import { type LinePosition, lineWindowsOf, type PeriodWindow } from '../db/period_windows.ts';
import { placesOfWindows } from '../db/window_list.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { parseStatement } from '../ledger/statement_document.ts';
import type { WindowRecord } from '../ledger/window_record.ts';
import { formatQuantity, parseQuantity } from '../meters/quantity.ts';
import { usageQuantity, usageUnit } from '../meters/usage_quantity.ts';
import type { ApiDeps } from './deps.ts';
import { lineOutput } from './statement_schema.ts';
import { countOutput, nextCursorOutput, timeOutput } from './wire_schema.ts';

/** A line of a statement and the windows that it sums: each leads on to its samples. */
export const explainedLineOutput = z.object({
  line: lineOutput,
  windows: z.array(z.object({
    /** With `start` and `revision` the input of `windows.explain`. */
    series: z.string(),
    resource_id: z.string(),
    start: timeOutput,
    end: timeOutput,
    revision: countOutput,
    quantity: z.string(),
    usage_unit: z.string(),
    samples: countOutput,
    /** The entry that vouches for it; null of a part of an hour, which was computed from samples. */
    entry: z.object({ log_id: countOutput, leaf_index: countOutput }).nullable(),
  })),
  next_cursor: nextCursorOutput,
});

export interface ExplainedLine extends Omit<z.output<typeof explainedLineOutput>, 'next_cursor'> {
  /** Where the page ended; null after the last. */
  next: LinePosition | null;
}

/** @returns null if the statement has no such line */
export async function explainLine(
  { db: { pool }, usageRules }: Pick<ApiDeps, 'db' | 'usageRules'>,
  { document: text, line }: { document: string; line: number },
  { limit, after }: { limit: number; after: LinePosition | null },
): Promise<ExplainedLine | null> {
  const document = parseStatement(text);
  const found = document.lines[line];
  const windows = await lineWindowsOf(
    { db: pool, rules: usageRules },
    { document, line },
    { limit: limit + 1, after },
  );
  if (windows === null || found === undefined) return null;
  const page = windows.slice(0, limit);
  const places = await placesOfWindows(
    pool,
    page.map(({ series, record }) => ({
      seriesId: series.series_id,
      start: record.start,
      revision: record.revision,
    })),
  );
  const last = page.at(-1);
  return {
    line: found,
    windows: page.map((window, index) => wireLineWindow(window, places[index] ?? null)),
    next: windows.length > limit && last !== undefined
      ? { key: last.series.key, start: last.record.start }
      : null,
  };
}

function wireLineWindow({ series, record, isCut }: PeriodWindow, place: number | null) {
  return {
    series: series.key,
    resource_id: series.resource_id,
    start: record.start,
    end: record.end,
    revision: record.revision,
    quantity: quantityOf(record),
    usage_unit: usageUnit(record.type, record.unit),
    samples: record.count,
    entry: isCut || place === null
      ? null
      : { log_id: logOfPosition(place), leaf_index: leafOfPosition(place) },
  };
}

function quantityOf({ type, sum, increase, integral }: WindowRecord): string {
  return formatQuantity(
    usageQuantity(type, {
      sum: parseQuantity(sum),
      increase: parseQuantity(increase),
      integral: parseQuantity(integral),
    }).quantity,
  );
}
