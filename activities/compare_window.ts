/** How a stored window is held against one that was computed again. */
import { columnsOf, figuresOf, WINDOW_COLUMNS, type WindowColumns } from '../db/window_columns.ts';
import type { WindowWithSeries } from '../db/window_records.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { leafHash } from '../ledger/merkle.ts';
import { appendLeaves, EMPTY_TREE, rootOf } from '../ledger/tree.ts';
import { formatQuantity } from '../meters/quantity.ts';
import { usageQuantity } from '../meters/usage_quantity.ts';
import { EMPTY_FIGURES } from '../meters/window_figures.ts';

/** A revision left nothing of a window. */
export const EMPTY = columnsOf(EMPTY_FIGURES, null);

/** A time without its volume, or the other way round: the record has neither. */
export function isHalf(row: WindowColumns): boolean {
  const pairs = [
    [row.first_at, row.first_volume],
    [row.last_at, row.last_volume],
    [row.carry_at, row.carry_volume],
    [row.carry_at, row.carry_ended],
  ];
  return pairs.some(([one, other]) => (one === null) !== (other === null));
}

export function isSame(row: WindowColumns, columns: WindowColumns | null): boolean {
  const expected = columns ?? EMPTY;
  return WINDOW_COLUMNS.every((name) => row[name] === expected[name]);
}

export function usedOf(row: WindowWithSeries): string {
  return formatQuantity(usageQuantity(row.type, figuresOf(row)).quantity);
}

export function hashOf(text: string): string {
  return encodeHex(leafHash(text));
}

export function rootOfTexts(texts: readonly string[]): Uint8Array {
  return rootOf(appendLeaves(EMPTY_TREE, texts.map(leafHash)).state);
}
