import { NephoError } from './errors.ts';
import { localTimeOf, type Span, startOfDate } from './zone.ts';

/** How long what is billed together is, by the calendar of a zone. */
export interface PeriodRule {
  readonly length: 'month' | 'week' | 'day';
  /** A name of the database of time zones. */
  readonly zone: string;
  /** Of a month 1 to 28, of a week 1 (Monday) to 7; of days it means nothing. */
  readonly startDay: number;
}

/** Half-open, in microseconds since 1970, UTC. */
export interface Period extends Span {
  /**
   * `2026-10` of the month in which it begins, `2026-W41` or `2026-10-07`. Weeks are numbered by their
   * fourth day, which for weeks from Monday is what ISO 8601 does.
   */
  readonly name: string;
}

const DAY_MS = 86_400_000;
const NAMES = {
  month: /^(\d{4})-(0[1-9]|1[0-2])$/,
  week: /^(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])$/,
  day: /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
} as const;
const EXAMPLES = { month: '2026-10', week: '2026-W41', day: '2026-10-07' } as const;

/** The period that an instant lies in. @throws {NephoError} `zone_unknown` */
export function periodOf(rule: PeriodRule, at: bigint): Period {
  const { year, month, day } = localTimeOf(rule.zone, at);
  let first = firstDate(rule, year, month, day);
  // A clock that is set back may show a date again that had ended, and a start may be later than its date.
  while (startOf(rule, first) > at) first = stepped(rule, first, -1);
  while (startOf(rule, stepped(rule, first, 1)) <= at) first = stepped(rule, first, 1);
  return periodFrom(rule, first);
}

/** The one that begins where `period` ends. */
export function nextPeriod(rule: PeriodRule, period: Span): Period {
  return periodOf(rule, period.end);
}

/**
 * The period of a name.
 *
 * @throws {NephoError} `period_invalid` for a name that no period of the rule has, `zone_unknown`
 */
export function periodNamed(rule: PeriodRule, name: string): Period {
  const match = NAMES[rule.length].exec(name);
  const [year, second, day] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3])];
  const first = rule.length === 'week'
    ? weekStart(rule, year, second)
    : Date.UTC(year, second - 1, rule.length === 'month' ? rule.startDay : day);
  if (match !== null) {
    const period = periodFrom(rule, first);
    // Neither February 30, nor a week 53 of a year of 52, nor a day that the zone skipped.
    if (period.name === name && period.start < period.end) return period;
  }
  throw new NephoError(
    'period_invalid',
    `Cannot find the period '${
      name.slice(0, 40)
    }': periods here are a ${rule.length} long in ${rule.zone}, write one as ${
      EXAMPLES[rule.length]
    }`,
    { context: { period: name.slice(0, 40), length: rule.length, zone: rule.zone } },
  );
}

/** Dates are milliseconds since 1970, as if of UTC. */
function firstDate(rule: PeriodRule, year: number, month: number, day: number): number {
  const date = Date.UTC(year, month - 1, day);
  if (rule.length === 'day') return date;
  if (rule.length === 'week') {
    const since = (new Date(date).getUTCDay() + 7 - rule.startDay % 7) % 7;
    return date - since * DAY_MS;
  }
  return Date.UTC(year, day >= rule.startDay ? month - 1 : month - 2, rule.startDay);
}

function stepped(rule: PeriodRule, first: number, steps: number): number {
  if (rule.length === 'day') return first + steps * DAY_MS;
  if (rule.length === 'week') return first + steps * 7 * DAY_MS;
  const date = new Date(first);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + steps, date.getUTCDate());
}

/** The start of the week whose fourth day is the `week`th such day of the year. */
function weekStart(rule: PeriodRule, year: number, week: number): number {
  const newYear = Date.UTC(year, 0, 1);
  const fourth = (rule.startDay + 3) % 7;
  const wait = (fourth + 7 - new Date(newYear).getUTCDay()) % 7;
  return newYear + (wait + 7 * (week - 1) - 3) * DAY_MS;
}

function periodFrom(rule: PeriodRule, first: number): Period {
  return {
    name: nameOf(rule, first),
    start: startOf(rule, first),
    end: startOf(rule, stepped(rule, first, 1)),
  };
}

function startOf({ zone }: PeriodRule, first: number): bigint {
  const date = new Date(first);
  return startOfDate(zone, date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate());
}

function nameOf(rule: PeriodRule, first: number): string {
  const date = new Date(first).toISOString();
  if (rule.length === 'month') return date.slice(0, 7);
  if (rule.length === 'day') return date.slice(0, 10);
  const fourth = new Date(first + 3 * DAY_MS);
  const year = fourth.getUTCFullYear();
  const week = Math.floor((fourth.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return `${String(year).padStart(4, '0')}-W${String(week).padStart(2, '0')}`;
}
