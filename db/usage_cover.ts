import { coverRange } from '../meters/range_cover.ts';
import type { Span } from '../meters/zone.ts';
import type { SealedCover } from './usage_sealed.ts';

/** What a range is made of: sealed rows, and time that must be computed from samples. */
export interface UsageCover {
  readonly sealed: SealedCover;
  /** Parts of sealed hours that a bucket's border cuts, and hours that are not sealed; in order, apart. */
  readonly open: readonly Span[];
}

/**
 * Splits buckets that follow each other into what is sealed and what is not.
 *
 * @param bounds where the buckets begin, and last where the last one ends
 * @param sealedUntil null if no hour is sealed
 */
export function coverBuckets(bounds: readonly bigint[], sealedUntil: bigint | null): UsageCover {
  const parts = {
    months: [] as Span[],
    days: [] as Span[],
    hours: [] as Span[],
    open: [] as Span[],
  };
  bounds.slice(1).forEach((end, index) => {
    const start = bounds[index] ?? end;
    const border = sealedUntil === null || sealedUntil < start
      ? start
      : sealedUntil < end
      ? sealedUntil
      : end;
    if (start < border) {
      const { months, days, hours, cuts } = coverRange(start, border);
      parts.months.push(...months);
      parts.days.push(...days);
      parts.hours.push(...hours);
      parts.open.push(...cuts);
    }
    if (border < end) parts.open.push({ start: border, end });
  });
  return {
    sealed: {
      months: joinSpans(parts.months),
      days: joinSpans(parts.days),
      hours: joinSpans(parts.hours),
    },
    open: joinSpans(parts.open),
  };
}

/** Puts spans in order, and those that meet into one. */
function joinSpans(spans: Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0)) {
    const last = joined.at(-1);
    if (last !== undefined && last.end === span.start) {
      joined[joined.length - 1] = { start: last.start, end: span.end };
    } else joined.push({ start: span.start, end: span.end });
  }
  return joined;
}
