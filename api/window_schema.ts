import { z } from 'zod';
import { type WindowWithSeries } from '../db/window_records.ts';
import { windowRecord } from '../db/window_columns.ts';
import { leafOfPosition } from '../ledger/position.ts';
import { formatQuantity, parseQuantity } from '../meters/quantity.ts';
import { usageQuantity, usageUnit } from '../meters/usage_quantity.ts';
import { countOutput, meterTypeOutput, timeInput, timeOutput } from './wire_schema.ts';

/** A series' key, as revisions and `windows.list` name it. */
export const seriesKeyInput = z.string().regex(/^[0-9a-f]{32}$/, 'It is not 32 hexadecimal digits');

/** What names a window: its series and the first instant of its hour. */
export const windowNameInput = { series: seriesKeyInput, start: timeInput };

/** Number of a window's version: 0 was sealed. */
export const revisionInput = z.int().min(0).max(2 ** 31 - 1);

const timedOutput = z.object({ at: timeOutput, volume: z.string() });

/** The figures of a window: those of its record, see docs/ledger.md. */
export const windowOutput = z.object({
  /** Key of the series: 32 hexadecimal digits. */
  series: z.string(),
  meter: z.string(),
  type: meterTypeOutput,
  unit: z.string(),
  project_id: z.string().nullable(),
  user_id: z.string().nullable(),
  resource_id: z.string(),
  source: z.string(),
  /** `[start, end)`. */
  start: timeOutput,
  end: timeOutput,
  /** 0 was sealed, the others came by late data. */
  revision: countOutput,
  /** What is billed of it, and its unit. */
  quantity: z.string(),
  usage_unit: z.string(),
  count: countOutput,
  sum: z.string(),
  sum_squares: z.string(),
  min: z.string().nullable(),
  max: z.string().nullable(),
  first: timedOutput.nullable(),
  last: timedOutput.nullable(),
  /** The reading before the window that it goes on from. */
  carry: timedOutput.extend({ ended: z.boolean() }).nullable(),
  increase: z.string(),
  resets: countOutput,
  steps_back: countOutput,
  integral: z.string(),
  covered: z.string(),
  expired: z.boolean(),
  ended: z.boolean(),
  /** The entry that vouches for it, a `seal` or a `revision`, and its place in that entry's tree or list. */
  entry: z.object({
    kind: z.enum(['seal', 'revision']),
    log_id: countOutput,
    leaf_index: countOutput,
    place: countOutput,
  }),
});

export type WireWindow = z.output<typeof windowOutput>;

export function wireWindow(row: WindowWithSeries): WireWindow {
  const { kind: _, v: __, ...record } = windowRecord(row, row, row);
  const { quantity } = usageQuantity(row.type, {
    sum: parseQuantity(row.sum),
    increase: parseQuantity(row.increase),
    integral: parseQuantity(row.integral),
  });
  return {
    series: row.key,
    ...record,
    quantity: formatQuantity(quantity),
    usage_unit: usageUnit(row.type, row.unit),
    entry: {
      kind: row.revision === 0 ? 'seal' : 'revision',
      log_id: row.log_id,
      leaf_index: leafOfPosition(Number(row.position)),
      place: row.place,
    },
  };
}
