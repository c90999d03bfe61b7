import {
  addQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from '../meters/quantity.ts';
import { encodeRecord } from './strict_record.ts';
import type {
  StatementDocument,
  StatementGap,
  StatementLine,
  StatementTotal,
} from './statement_document.ts';

/** How the parts of a statement are ordered and follow from each other: what makes them and checks them. */

const ZERO: Quantity = { unscaled: 0n, scale: 0 };

/** Negative, zero or positive as the left line stands before, at or after the place of the right one. */
export function compareLines(left: StatementLine, right: StatementLine): number {
  return compareTexts(left.meter, right.meter) || compareTexts(left.type, right.type) ||
    compareTexts(left.unit, right.unit) || compareTexts(left.resource_id, right.resource_id) ||
    compareTexts(groupText(left), groupText(right));
}

export function compareTotals(left: StatementTotal, right: StatementTotal): number {
  return compareTexts(left.meter, right.meter) || compareTexts(left.usage_unit, right.usage_unit);
}

export function compareGaps(left: StatementGap, right: StatementGap): number {
  return compareTexts(left.meter, right.meter) ||
    compareTexts(left.resource_id, right.resource_id) || compareTexts(left.from, right.from) ||
    compareTexts(left.to, right.to) || compareTexts(left.reason, right.reason);
}

/** The totals of lines, in their order. */
export function totalsOf(lines: readonly StatementLine[]): StatementTotal[] {
  const totals = new Map<string, { meter: string; usage_unit: string; sum: Quantity }>();
  for (const { meter, usage_unit, quantity } of lines) {
    const key = JSON.stringify([meter, usage_unit]);
    const sum = addQuantities(totals.get(key)?.sum ?? ZERO, parseQuantity(quantity));
    totals.set(key, { meter, usage_unit, sum });
  }
  return [...totals.values()]
    .map(({ sum, ...total }) => ({ ...total, quantity: formatQuantity(sum) }))
    .sort(compareTotals);
}

/** A function from lines of an amendment to their `difference` from the statement that is amended. */
export function differencesFrom(
  former: Pick<StatementDocument, 'lines'>,
): (line: StatementLine) => string {
  const quantities = new Map(former.lines.map((line) => [lineKey(line), line.quantity]));
  return (line) => {
    const before = parseQuantity(quantities.get(lineKey(line)) ?? '0');
    return formatQuantity(subtractQuantities(parseQuantity(line.quantity), before));
  };
}

/** What tells a line from all others of its statement. */
export function lineKey(line: StatementLine): string {
  return JSON.stringify([line.meter, line.type, line.unit, line.resource_id, groupText(line)]);
}

function groupText({ group }: StatementLine): string | null {
  return group === null ? null : encodeRecord(group);
}

/** By UTF-16 units, as `sort()` and RFC 8785 do; null before all. */
function compareTexts(left: string | null, right: string | null): number {
  if (left === right) return 0;
  if (left === null) return -1;
  if (right === null) return 1;
  return left < right ? -1 : 1;
}
