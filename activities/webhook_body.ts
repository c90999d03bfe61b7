import { canonicalJson } from '../ledger/canonical_json.ts';
import type { StatementDocument, StatementTotal } from '../ledger/statement_document.ts';
import { compareTotals } from '../ledger/statement_lines.ts';
import type { StatementEvent } from '../meters/billing_config.ts';
import { addQuantities, formatQuantity, parseQuantity } from '../meters/quantity.ts';

/** Totals that a webhook names: the rest is in the statement. */
const MAX_TOTALS = 500;

/**
 * What an endpoint is told of a statement, always the same bytes: what it comes to, and where the whole is. Of
 * an amendment also by how much the totals differ from the one before.
 */
export function webhookBody(
  document: StatementDocument,
  { digest, event }: { digest: string; event: StatementEvent },
): string {
  const { project_id, period, number, start, end, zone, lines, gaps, totals } = document;
  const input = { project_id, period, number };
  return canonicalJson({
    type: event,
    timestamp: document.closed_at,
    data: {
      project_id,
      period,
      number,
      start,
      end,
      zone,
      digest,
      lines: lines.length,
      gaps: gaps.length,
      totals: totals.slice(0, MAX_TOTALS).map((total) => ({ ...total })),
      differences: number === 0
        ? null
        : differencesOf(document).slice(0, MAX_TOTALS).map((total) => ({ ...total })),
      url: `/trpc/statements.get?input=${encodeURIComponent(JSON.stringify(input))}`,
    },
  });
}

/** By meter and unit what an amendment adds; those that stay are left out. */
function differencesOf({ lines }: StatementDocument): StatementTotal[] {
  const sums = new Map<string, StatementTotal>();
  for (const { meter, usage_unit, difference } of lines) {
    const key = JSON.stringify([meter, usage_unit]);
    const before = parseQuantity(sums.get(key)?.quantity ?? '0');
    const quantity = formatQuantity(addQuantities(before, parseQuantity(difference ?? '0')));
    sums.set(key, { meter, usage_unit, quantity });
  }
  return [...sums.values()].filter(({ quantity }) => quantity !== '0').sort(compareTotals);
}
