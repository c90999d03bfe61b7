import { nextPeriod, periodOf, type PeriodRule } from './billing_period.ts';
import { formatMicros } from './timestamp.ts';

/** A period that was agreed with a project. Microseconds since 1970, `[start, end)`. */
export interface AgreedPeriod {
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * The period of a project that an instant belongs to. What was agreed once stays, so that a change of the
 * rule neither bills a time twice nor leaves one out: a new period begins where the last one ended. If the new
 * rule gives it a name that is taken, it is part of the period next to it; if that is taken as well, it is
 * named by its start, as `2026-10-07T22:00`.
 *
 * @param agreed the project's periods around the instant, which do not overlap, in any order
 */
export function periodFor(
  agreed: readonly AgreedPeriod[],
  rule: PeriodRule,
  instant: bigint,
): AgreedPeriod {
  const known = agreed.find(({ start, end }) => start <= instant && instant < end);
  if (known !== undefined) return known;
  const before = latest(agreed.filter(({ end }) => end <= instant));
  const after = earliest(agreed.filter(({ start }) => start > instant));
  const ruled = periodOf(rule, instant);
  const period = freePeriod(agreed, rule, { ruled, instant });
  const followsOn = before !== null &&
    (before.end > period.start || period.start > instant ||
      periodOf(rule, period.start - 1n).name === before.name);
  const leadsOn = after !== null &&
    (after.start < period.end || period.end <= instant ||
      nextPeriod(rule, period).name === after.name);
  const start = followsOn ? before.end : period.start;
  const end = leadsOn ? after.start : period.end;
  const name = period === ruled && agreed.some((one) => one.name === ruled.name)
    ? formatMicros(start).slice(0, 16)
    : period.name;
  return { name, start, end };
}

/** The period of the rule, or the one next to it if its name is taken; the former if both are. */
function freePeriod(
  agreed: readonly AgreedPeriod[],
  rule: PeriodRule,
  { ruled, instant }: { ruled: AgreedPeriod; instant: bigint },
): AgreedPeriod {
  const same = agreed.find(({ name }) => name === ruled.name);
  if (same === undefined) return ruled;
  const next = same.end <= instant ? nextPeriod(rule, ruled) : periodOf(rule, ruled.start - 1n);
  return agreed.some(({ name }) => name === next.name) ? ruled : next;
}

function latest(periods: readonly AgreedPeriod[]): AgreedPeriod | null {
  return periods.reduce<AgreedPeriod | null>(
    (last, one) => last === null || one.end > last.end ? one : last,
    null,
  );
}

function earliest(periods: readonly AgreedPeriod[]): AgreedPeriod | null {
  return periods.reduce<AgreedPeriod | null>(
    (first, one) => first === null || one.start < first.start ? one : first,
    null,
  );
}
