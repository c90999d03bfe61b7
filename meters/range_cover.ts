import type { Span } from './zone.ts';
import { DAY_MICROS, HOUR_MICROS } from './timestamp.ts';

/**
 * A range as runs of whole months, days and hours of UTC, and what is left of hours that it cuts: together
 * they are the range, each instant once. A run may hold many: `[March 1, July 1)` is four months.
 */
export interface RangeCover {
  /** At most one run. */
  readonly months: readonly Span[];
  /** At most two runs each. */
  readonly days: readonly Span[];
  readonly hours: readonly Span[];
  readonly cuts: readonly Span[];
}

/**
 * Covers a half-open range of microseconds since 1970 by the largest units that fit, so that a month does
 * not cost 720 hours. Empty lists for an empty range.
 */
export function coverRange(from: bigint, to: bigint): RangeCover {
  const hours = within(
    { start: from, end: to },
    roundUp(from, HOUR_MICROS),
    roundDown(to, HOUR_MICROS),
  );
  const days = within(hours.inner, roundUp(from, DAY_MICROS), roundDown(to, DAY_MICROS));
  const months = within(days.inner, monthAtOrAfter(from), monthAtOrBefore(to));
  return {
    months: [months.inner].filter(isSome),
    days: months.around,
    hours: days.around,
    cuts: hours.around,
  };
}

/** The part of `span` from `start` to `end`, and what is around it. */
function within(span: Span, start: bigint, end: bigint): { inner: Span; around: Span[] } {
  if (start >= end || !isSome(span)) {
    const around = span.start < span.end ? [span] : [];
    return { inner: { start: span.end, end: span.end }, around };
  }
  const around = [{ start: span.start, end: start }, { start: end, end: span.end }];
  return { inner: { start, end }, around: around.filter(isSome) };
}

function isSome({ start, end }: Span): boolean {
  return start < end;
}

function roundDown(at: bigint, unit: bigint): bigint {
  const over = at % unit;
  return at - (over < 0n ? over + unit : over);
}

function roundUp(at: bigint, unit: bigint): bigint {
  return -roundDown(-at, unit);
}

function monthAtOrBefore(at: bigint): bigint {
  const date = new Date(Number(roundDown(at, DAY_MICROS) / 1_000n));
  return BigInt(Date.UTC(date.getUTCFullYear(), date.getUTCMonth())) * 1_000n;
}

function monthAtOrAfter(at: bigint): bigint {
  const start = monthAtOrBefore(at);
  if (start === at) return at;
  const date = new Date(Number(start / 1_000n));
  return BigInt(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)) * 1_000n;
}
