import { NephoError } from '../meters/errors.ts';
import { formatQuantity, parseQuantity } from '../meters/quantity.ts';
import { unitHours, usageUnit } from '../meters/usage_quantity.ts';
import { encodeHex } from './bytes.ts';
import { EMPTY_ROOT } from './merkle.ts';
import type { StatementDocument, StatementLine } from './statement_document.ts';
import {
  compareGaps,
  compareLines,
  compareTotals,
  differencesFrom,
  lineKey,
  totalsOf,
} from './statement_lines.ts';

/** What is wrong with a statement is a NephoError whose code names the part that does not fit. */

/**
 * Holds the parts of a statement to each other, as a verifier does; whoever makes one calls it first.
 *
 * @param former the document that it amends, if at hand
 * @throws {NephoError} `statement_lines_wrong`, `statement_totals_wrong`, `statement_gaps_wrong`,
 * `statement_amends_wrong`
 */
export function checkStatement(
  document: StatementDocument,
  former: StatementDocument | null = null,
): void {
  checkLines(document);
  checkTotals(document);
  checkGaps(document);
  checkAmends(document);
  if (former !== null) checkDifferences(document, former);
}

/** Lines in their order, each once, their quantities as the exact figures give them. */
export function checkLines(document: StatementDocument): void {
  let previous: StatementLine | null = null;
  document.lines.forEach((line, index) => {
    const fault = previous !== null && compareLines(previous, line) >= 0
      ? 'does not come after the one before it'
      : faultOfLine(line, document);
    if (fault !== null) throw wrong('lines', `line ${index} (${line.meter}) ${fault}`);
    previous = line;
  });
}

/** Totals of every meter and unit of the lines, in their order. */
export function checkTotals({ lines, totals }: StatementDocument): void {
  const expected = totalsOf(lines);
  expected.forEach((total, index) => {
    const found = totals[index];
    if (found === undefined || compareTotals(found, total) !== 0) {
      throw wrong('totals', `total ${index} is not that of ${total.meter} in ${total.usage_unit}`);
    }
    if (found.quantity !== total.quantity) {
      throw wrong(
        'totals',
        `the lines of ${total.meter} add up to ${total.quantity} ${total.usage_unit}, not ${found.quantity}`,
      );
    }
  });
  if (totals.length > expected.length) throw wrong('totals', 'there are totals of no line');
}

export function checkGaps({ gaps }: StatementDocument): void {
  gaps.forEach((gap, index) => {
    const previous = gaps[index - 1];
    if (gap.from >= gap.to) throw wrong('gaps', `gap ${index} ends before it begins`);
    if (previous !== undefined && compareGaps(previous, gap) >= 0) {
      throw wrong('gaps', `gap ${index} does not come after the one before it`);
    }
  });
}

/** Number 0 amends nothing, every other one the number before it. */
export function checkAmends({ number, amends, lines }: StatementDocument): void {
  if (number === 0 ? amends !== null : amends?.number !== number - 1) {
    throw wrong('amends', `number ${number} does not amend the one before it`);
  }
  const odd = lines.findIndex(({ difference }) => (difference === null) !== (number === 0));
  if (odd >= 0) {
    throw wrong('amends', `line ${odd} ${number === 0 ? 'has a' : 'lacks its'} difference`);
  }
}

/** The differences of an amendment are those from the document that it amends, and no line is lost. */
export function checkDifferences(document: StatementDocument, former: StatementDocument): void {
  const isFormer = former.project_id === document.project_id &&
    former.period === document.period && former.number === document.amends?.number;
  if (!isFormer) {
    throw wrong(
      'amends',
      `it does not amend number ${former.number} of ${former.period} of project '${former.project_id}'`,
    );
  }
  const differenceOf = differencesFrom(former);
  const kept = new Set<string>();
  document.lines.forEach((line, index) => {
    kept.add(lineKey(line));
    const expected = differenceOf(line);
    if (line.difference !== expected) {
      throw wrong(
        'amends',
        `line ${index} (${line.meter}) differs by ${expected}, not ${line.difference}`,
      );
    }
  });
  const lost = former.lines.findIndex((line) => !kept.has(lineKey(line)));
  if (lost >= 0) throw wrong('amends', `line ${lost} of number ${former.number} is lost`);
}

function faultOfLine(line: StatementLine, { start, end }: StatementDocument): string | null {
  const { type, unit, usage_unit, resource_id, group } = line;
  if (resource_id !== null && group !== null) return 'is of a resource and of a group';
  if (usage_unit !== usageUnit(type, unit)) {
    return `is in ${usage_unit}, not in ${usageUnit(type, unit)}`;
  }
  return faultOfQuantity(line) ?? faultOfWindows(line, start, end);
}

function faultOfQuantity({ type, quantity, unit_seconds, covered }: StatementLine): string | null {
  const isGauge = type === 'gauge';
  if ((unit_seconds !== null) !== isGauge) {
    return 'has unit seconds just if it is of a gauge: not so';
  }
  if ((covered !== null) !== isGauge) return 'has covered seconds just if it is of a gauge: not so';
  if (unit_seconds === null) return null;
  const hours = formatQuantity(unitHours(parseQuantity(unit_seconds)));
  return hours === quantity
    ? null
    : `has ${unit_seconds} unit seconds, which is ${hours} and not ${quantity}`;
}

function faultOfWindows({ windows }: StatementLine, start: string, end: string): string | null {
  const { count, root, first, last } = windows;
  if (count === 0) {
    const isEmpty = first === null && last === null && root === encodeHex(EMPTY_ROOT);
    return isEmpty ? null : 'names windows and has none';
  }
  if (first === null || last === null) return 'does not say from when to when its windows are';
  return first >= start && last <= end && first < last
    ? null
    : 'has windows that are not in the period';
}

function wrong(part: 'lines' | 'totals' | 'gaps' | 'amends', reason: string): NephoError {
  return new NephoError(`statement_${part}_wrong`, `Cannot accept the statement: ${reason}`);
}
