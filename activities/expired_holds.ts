import type { StatementGap } from '../ledger/statement_document.ts';
import type { WindowRecord } from '../ledger/window_record.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import { ruleOf, type UsageRules } from '../meters/usage_rules.ts';

/** True if things of this meter say when they end, so that one of which nothing more is heard is odd. */
export function saysWhenItEnds(rules: UsageRules, meter: string): boolean {
  const index = rules.rules.findIndex(({ meters }) => meters.wants(meter));
  return (rules.document.rules[index]?.ends.length ?? 0) > 0;
}

/**
 * Where a thing ran out although nobody said that it ended: from when its value held no longer until it was
 * heard of again. An instance whose deletion was lost is such.
 *
 * @param records of one series by start, those of the period
 * @param end of the period
 */
export function expiredHolds(
  records: readonly WindowRecord[],
  { rules, end }: { rules: UsageRules; end: string },
): StatementGap[] {
  return records.flatMap((record, index) => {
    if (!record.expired || !saysWhenItEnds(rules, record.meter)) return [];
    const { meter, resource_id } = record;
    const { from, heard } = expiryOf(record, ruleOf(rules, meter).stalenessMicros);
    const next = records[index + 1];
    const to = heard ?? (next === undefined ? end : next.first?.at ?? next.start);
    return from < to ? [{ meter, resource_id, from, to, reason: 'expired' }] : [];
  });
}

/** When the value of a window ran out, and when the thing was heard of again within it. */
function expiryOf(
  { start, end, carry, first, last }: WindowRecord,
  stalenessMicros: bigint,
): { from: string; heard: string | null } {
  const staleAfter = (at: string) => formatMicros(toMicros(at) + stalenessMicros);
  if (carry !== null && !carry.ended) {
    const from = staleAfter(carry.at);
    if (from >= start && from < end && (first === null || from < first.at)) {
      return { from, heard: first?.at ?? null };
    }
  }
  const from = last === null ? start : staleAfter(last.at);
  // Between two readings of it: when exactly, the window does not say.
  return from < end ? { from, heard: null } : { from: first?.at ?? start, heard: last?.at ?? null };
}
